"""The GPUs of this machine, asked through NVIDIA's library, and never a reason to fail."""

from app.gpu.nvml import Gpu, GpuReport, Sampler, discover

__all__ = ["Gpu", "GpuReport", "Sampler", "discover"]
