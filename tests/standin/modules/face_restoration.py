"""Face restoration: CodeFormer without its weights, and a small net under GFPGAN's name that sharpens the middle."""

from __future__ import annotations

import logging

import torch

from modules import errors, shared

logger = logging.getLogger("standin")


class FaceRestoration:
    def name(self):
        return "None"

    def restore(self, np_image):
        return np_image


class CommonFaceRestoration(FaceRestoration):
    net: torch.nn.Module | None = None

    def load_net(self):
        raise NotImplementedError

    def restore(self, np_image):
        try:
            if self.net is None:
                self.net = self.load_net()
        except Exception:
            logger.warning("Unable to load face-restoration model", exc_info=True)
            return np_image
        high, wide = np_image.shape[:2]
        face = (slice(high // 4, high - high // 4), slice(wide // 4, wide - wide // 4))
        image = np_image.copy()
        crop = torch.from_numpy(image[face]).permute(2, 0, 1)[None].float() / 255
        try:
            with torch.no_grad():
                crop = self.net(crop)
        # As the host does: the face stays as it was.
        except Exception:  # noqa: BLE001
            errors.report("Failed face-restoration inference", exc_info=True)
        image[face] = (crop[0].permute(1, 2, 0).numpy() * 255).astype("uint8")
        return image


class FaceRestorerCodeFormer(CommonFaceRestoration):
    def name(self):
        return "CodeFormer"

    def load_net(self):
        raise ValueError("No codeformer model found")


class Sharper(torch.nn.Module):
    """Like the real one it draws noise from the global generator, and its first weights too."""

    def __init__(self):
        super().__init__()
        torch.randn(1)

    def forward(self, x):
        blurred = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (8, 8, 8, 8), mode="reflect"), 17, 1)
        return (x + (x - blurred) + 0.02 * torch.randn_like(x)).clamp(0, 1)


class FaceRestorerGFPGAN(CommonFaceRestoration):
    def name(self):
        return "GFPGAN"

    def load_net(self):
        return Sharper()


def setup_models():
    shared.face_restorers[:] = [FaceRestorerCodeFormer(), FaceRestorerGFPGAN()]
