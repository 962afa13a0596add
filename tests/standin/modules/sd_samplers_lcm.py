"""The LCM sampler: to the clean picture and back to the next noise level at every step."""

from __future__ import annotations

from modules import sd_samplers_common, solvers
from modules.sd_samplers_kdiffusion import KDiffusionSampler

samplers_data_lcm = [
    sd_samplers_common.SamplerData(
        "LCM", lambda model: KDiffusionSampler(solvers.sample_lcm, model), ["k_lcm"], {}
    )
]  # fmt: skip
