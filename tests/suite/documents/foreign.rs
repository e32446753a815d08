//! Names in the documents that no source has, because they belong to others.

/// Each with whose it is. One that no document uses is an error.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("WGPU_POWER_PREF", "wgpu reads it from the environment"),
    ("XDG_RUNTIME_DIR", "the desktop's standard"),
    ("learning-rate", "a key of TOML, as serde spells the field"),
    ("as_hal", "wgpu's way to the objects of a driver"),
    ("protoc", "the compiler of protocol buffers"),
    ("protobuf-compiler", "Debian's package of it"),
    ("LP_MAX_TGSI_LOOP_ITERATIONS", "Mesa"),
    ("lp_limits.h", "Mesa"),
    ("lp_bld_nir_soa.c", "Mesa"),
    ("textureLoad", "WGSL"),
    ("nvdisasm", "NVIDIA's disassembler"),
    ("wgpu_cooperative_matrix", "an extension of naga's WGSL"),
    ("gemm", "a crate that was not taken"),
    ("nn.Linear", "PyTorch"),
    ("target/browser/site", "made by scripts/browser"),
    (".wgpu-linear-events.lock", "made by the event writer"),
    ("report.json", "written by the program beside report.html"),
    (
        "predictions.csv",
        "written by the program beside report.html",
    ),
    ("config.toml", "written by the program beside report.html"),
    ("checkpoints/", "written by the program beside report.html"),
    ("trials/", "written by the program beside report.html"),
    ("wgpu-linear-ten", "put together by tfevents/benches/peers"),
    ("tfrecord-noflush", "put together by tfevents/benches/peers"),
    ("tboard-buffered", "put together by tfevents/benches/peers"),
];
