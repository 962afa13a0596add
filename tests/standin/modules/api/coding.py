"""Pictures as texts."""

import base64
import binascii
import io

from fastapi import HTTPException
from PIL import PngImagePlugin, UnidentifiedImageError

from modules import images


def decode_base64_to_image(encoding):
    try:
        return images.read(io.BytesIO(base64.b64decode(encoding.rpartition(",")[2])))
    except (UnidentifiedImageError, binascii.Error, OSError, ValueError) as error:
        raise HTTPException(status_code=500, detail="Invalid encoded image") from error


def encode_pil_to_base64(image):
    data, told = io.BytesIO(), PngImagePlugin.PngInfo()
    texts = {key: text for key, text in image.info.items() if isinstance(key, str) and isinstance(text, str)}
    for key, text in texts.items():
        told.add_text(key, text)
    image.save(data, format="PNG", pnginfo=told if texts else None)
    return base64.b64encode(data.getvalue()).decode()
