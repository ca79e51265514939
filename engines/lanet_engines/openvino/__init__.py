"""OpenVINO: CPUs of any maker, Intel GPUs and NPUs."""
