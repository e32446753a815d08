//! What the figures of a software adapter depend on, beside the adapter.

use crate::machine::processor;

/// The processor, with its vector instructions: a software adapter compiles for these.
pub(crate) fn processor_and_vectors() -> String {
    let vectors = vector_features();
    let vectors = if vectors.is_empty() {
        "no vector features known".to_owned()
    } else {
        vectors.join(" ")
    };
    format!("{}, {vectors}", processor())
}

#[cfg(target_arch = "x86_64")]
fn vector_features() -> Vec<&'static str> {
    let features = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
    ];
    let has = features.into_iter().filter(|(_, has)| *has);
    has.map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_features() -> Vec<&'static str> {
    Vec::new()
}
