//! `doctor`: what it says with an adapter and without.

use crate::command::{end, fails_with, gives_json, json_of, program, succeeds, without_adapter};

#[test]
fn a_fast_look_fits_a_terminal_and_names_what_matters() {
    let text = succeeds(&mut program(&["doctor", "--fast"]));
    for wanted in [
        "wgpu-linear 0.",
        "Adapters\n",
        "max_storage_buffer_binding_size",
        "SUBGROUP",
        "128×784×128",
        "tuned.tsv",
    ] {
        assert!(text.contains(wanted), "no {wanted}:\n{text}");
    }
    let too_long = text.lines().find(|line| line.chars().count() > 80);
    assert_eq!(too_long, None, "{text}");
}

#[test]
fn a_fast_look_is_one_json_object() {
    let report = gives_json(&mut program(&["doctor", "--fast", "--json"]));
    assert!(!report["adapters"].as_array().unwrap().is_empty());
    let device = &report["device"];
    assert!(device["plans"][0]["forward"].is_string(), "{report}");
    assert!(device["self_check"].is_null() && device["peaks"].is_null());
    assert_eq!(device["limits"].as_array().unwrap().len(), 9);
}

#[test]
fn without_an_adapter_it_says_what_to_install_and_that_the_twin_will_do() {
    let text = fails_with(&mut without_adapter(&["doctor"]), 1, "no GPU adapter");
    assert!(text.contains("Adapters\n  none"), "{text}");
    assert!(text.contains("--device cpu"), "{text}");
    #[cfg(target_os = "linux")]
    assert!(text.contains("mesa-vulkan-drivers"), "{text}");
    let too_long = text.lines().find(|line| line.chars().count() > 80);
    assert_eq!(too_long, None, "{text}");
    // What the Vulkan loader has to say is in the error already.
    let complaints = end(&mut without_adapter(&["doctor"])).stderr;
    let complaints = String::from_utf8(complaints).unwrap();
    assert_eq!(complaints.lines().count(), 1, "{complaints}");
    let json = fails_with(
        &mut without_adapter(&["doctor", "--json"]),
        1,
        "no GPU adapter",
    );
    let report = json_of(&json);
    assert!(report["device"].is_null() && report["error"].is_string());
}

#[test]
fn an_adapter_that_is_not_there_is_a_mistake_of_who_names_it() {
    let mut doctor = program(&["doctor", "--adapter", "no such adapter"]);
    let said = fails_with(&mut doctor, 2, "the name \"no such adapter\"");
    assert_eq!(said, "");
}

mod slow {
    use crate::command::{gives_json, program};

    #[test]
    fn a_full_look_checks_every_kernel_and_measures() {
        let report = gives_json(&mut program(&["doctor", "--json"]));
        let check = &report["device"]["self_check"];
        assert_eq!(check["is_right"], true, "{check}");
        assert!(check["checks"].as_array().unwrap().len() > 150);
        assert!(check["kernels"].as_u64().unwrap() > 100);
        let condemned = report["device"]["condemned"].as_array().unwrap();
        assert!(condemned.is_empty(), "{condemned:?}");
        assert!(report["device"]["peaks"]["gflops"].as_f64().unwrap() > 0.1);
        assert!(
            report["device"]["peaks"]["gigabytes_per_s"]
                .as_f64()
                .unwrap()
                > 0.01
        );
    }
}
