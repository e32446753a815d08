//! The records of `scripts/isa` are of the kernels as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wgpu_linear::{Kernel, kernels};

const DEVICES: [&str; 7] = [
    "navi21", "navi31", "gfx1201", "nv162", "nv172", "nv192", "m1",
];

/// How many threads the subgroups have that multiply matrices by units of the device, if it has any.
fn lanes(device: &str) -> Option<u32> {
    match device {
        "navi31" | "gfx1201" => Some(64),
        "nv162" | "nv172" | "nv192" => Some(32),
        _ => None,
    }
}

/// Names of the kernels for the device, with the checksums of their WGSL.
fn today(device: &str) -> BTreeMap<String, String> {
    let has_units = |kernel: &Kernel| {
        let name = |lanes| kernel.name().contains(&format!("_of_16_by_{lanes}"));
        !kernel.uses_matrix_units() || lanes(device).is_some_and(name)
    };
    let is_for_software = |kernel: &Kernel| {
        ["matmul_broadcast.wgsl", "matmul_narrow.wgsl"].contains(&kernel.file.name)
            || kernel.name().contains("by_twos")
    };
    kernels()
        .filter(|kernel| kernel.trusted && !is_for_software(kernel) && has_units(kernel))
        .map(|kernel| {
            let checksum = crc32c::crc32c(kernel.wgsl().unwrap().as_bytes());
            (kernel.name(), format!("{checksum:08x}"))
        })
        .collect()
}

fn path(device: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/record");
    folder.join(format!("isa-{device}.json"))
}

fn record(device: &str) -> serde_json::Map<String, serde_json::Value> {
    let text = std::fs::read_to_string(path(device)).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    record["kernels"].as_object().unwrap().clone()
}

/// Names of the recorded kernels, with the checksums of their WGSL.
fn recorded(device: &str) -> BTreeMap<String, String> {
    record(device)
        .iter()
        .map(|(name, figures)| (name.clone(), figures["hash"].as_str().unwrap().to_owned()))
        .collect()
}

/// Kernels of which one side has no such WGSL.
fn differences(
    today: &BTreeMap<String, String>,
    recorded: &BTreeMap<String, String>,
) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = today.keys().chain(recorded.keys()).collect();
    let differs = |name: &&&String| today.get(**name) != recorded.get(**name);
    names
        .iter()
        .filter(differs)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn recorded_machine_code_is_of_todays_kernels() {
    for device in DEVICES {
        let differences = differences(&today(device), &recorded(device));
        assert!(
            differences.is_empty(),
            "{} kernels are not those in {}, {} among them; please look at what `scripts/isa \
             --check` says, then renew the records with `scripts/isa --record`",
            differences.len(),
            path(device).display(),
            differences[0],
        );
    }
}

/// Figures that are 0 are left out of records. No adapter of Apple is given tiles of 128 × 128.
#[test]
fn no_recorded_kernel_spills() {
    for device in DEVICES {
        for (name, figures) in record(device) {
            if device == "m1" && name.contains("/tiled_128") {
                continue;
            }
            for figure in ["spills", "scratch_bytes"] {
                assert!(figures[figure].is_null(), "{device}, {name}: {figure}");
            }
        }
    }
}

#[test]
fn changed_new_and_missing_kernels_are_told() {
    let of = |kernels: &[[&str; 2]]| -> BTreeMap<String, String> {
        let kernels = kernels.iter();
        kernels
            .map(|[name, hash]| ((*name).to_owned(), (*hash).to_owned()))
            .collect()
    };
    let recorded = of(&[["same", "1"], ["changed", "1"], ["gone", "1"]]);
    let today = of(&[["same", "1"], ["changed", "2"], ["new", "1"]]);
    assert_eq!(differences(&today, &recorded), ["changed", "gone", "new"]);
}
