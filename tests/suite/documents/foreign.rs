//! Names in the documents that no source has, because they belong to others.

/// Each with whose it is. One that no document uses is an error.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("WGPU_POWER_PREF", "wgpu reads it from the environment"),
    ("XDG_RUNTIME_DIR", "the desktop's standard"),
    ("protoc", "the compiler of protocol buffers"),
    ("protobuf-compiler", "Debian's package of it"),
    ("LP_MAX_TGSI_LOOP_ITERATIONS", "Mesa"),
    ("lp_limits.h", "Mesa"),
    ("lp_bld_nir_soa.c", "Mesa"),
    ("gemm", "a crate that was not taken"),
    ("nn.Linear", "PyTorch"),
    ("VENV/bin/python", "a virtual environment of the reader's"),
    (".wgpu-linear-events.lock", "made by the event writer"),
    ("fuzz/corpus/reader", "made by the command before"),
    ("fuzz/corpus/event", "made by the command before"),
];
