//! What to do about it, in plain words.

use super::findings::Report;

/// What to do about what was found; nothing where all is well.
pub(super) fn advice(report: &Report) -> Vec<String> {
    let mut advice = Vec::new();
    let Some(device) = &report.device else {
        advice.push(
            "Without an adapter everything is computed by the CPU twin, which is right and often \
             fast enough: `--device cpu` asks for it by name."
                .to_owned(),
        );
        return advice;
    };
    if let Some(check) = device.self_check.as_ref().filter(|check| !check.is_right) {
        advice.push(format!(
            "{} of {} checks failed, so results of this adapter cannot be trusted. Update its \
             driver; until then use `--device cpu`, or another adapter with WGPU_ADAPTER_NAME. \
             Please report it with the output of `wgpu-linear doctor --json`.",
            check.failures,
            check.checks.len()
        ));
    }
    if device.error.is_some() {
        advice.push(
            "The device gave up before all was examined. Update its driver, close what else uses \
             the GPU, and try again; `--device cpu` does without."
                .to_owned(),
        );
    }
    let hardware = report
        .adapters
        .iter()
        .find(|adapter| !adapter.is_software());
    if device.is_software {
        advice.push(software(hardware.map(|adapter| adapter.name.as_str())));
    }
    for lack in &device.lacks {
        advice.push(format!("{lack}. A newer driver may have it."));
    }
    if device.tune_cache.error.is_some() {
        advice.push("Tuned plans are not used: see above.".to_owned());
    }
    advice
}

fn software(hardware: Option<&str>) -> String {
    let what = "This adapter is a program that runs on the CPU. It computes right, but the CPU \
                twin (`--device cpu`) is faster for most networks.";
    match hardware {
        Some(name) => format!("{what} This machine also has {name}: name it with --adapter."),
        None => format!(
            "{what} If this machine has a GPU, its driver is not installed, or this user may not \
             use it (on Linux: the groups `render` and `video`)."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::{CheckReport, CheckRow, DeviceReport, Tuned};
    use super::super::text::text;
    use super::super::{Adapter, System};
    use super::*;

    fn adapter(kind: &str) -> Adapter {
        Adapter {
            name: format!("an adapter of kind {kind}"),
            backend: "Vulkan".to_owned(),
            kind: kind.to_owned(),
            driver: "driver 1".to_owned(),
            vendor: 1,
            device: 2,
        }
    }

    /// A machine where all is well.
    fn report() -> Report {
        let row = |check: &str| CheckRow {
            check: check.to_owned(),
            kernels: vec!["forward/naive-f32".to_owned()],
            verdict: "right, exactly".to_owned(),
            is_failure: false,
            milliseconds: 1.0,
        };
        let device = DeviceReport {
            adapter: "an adapter".to_owned(),
            is_software: false,
            limits: Vec::new(),
            features: Vec::new(),
            lacks: Vec::new(),
            plans: Vec::new(),
            tune_cache: Tuned {
                path: Some("tuned.tsv".to_owned()),
                plans: 3,
                for_this_adapter: 2,
                error: None,
            },
            self_check: Some(CheckReport {
                is_right: true,
                failures: 0,
                kernels: 2,
                seconds: 0.5,
                checks: vec![row("forward 1×1×1, naive"), row("forward 3×5×7, naive")],
            }),
            peaks: None,
            condemned: Vec::new(),
            error: None,
        };
        Report {
            version: "0",
            system: System {
                os: "linux",
                architecture: "x86_64",
                threads: 2,
            },
            adapters: vec![adapter("DiscreteGpu"), adapter("Cpu")],
            device: Some(device),
            error: None,
            advice: Vec::new(),
        }
    }

    fn changed(change: impl FnOnce(&mut DeviceReport)) -> Report {
        let mut report = report();
        if let Some(device) = &mut report.device {
            change(device);
        }
        report
    }

    #[test]
    fn there_is_nothing_to_do_where_all_is_well() {
        assert_eq!(advice(&report()), [""; 0]);
    }

    #[test]
    fn each_trouble_has_its_advice() {
        let without_device = Report {
            device: None,
            ..report()
        };
        for (report, wanted) in [
            (without_device, "the CPU twin, which is right"),
            (
                changed(|device| device.is_software = true),
                "This machine also has an adapter of kind DiscreteGpu",
            ),
            (
                changed(|device| {
                    device
                        .lacks
                        .push("opened without SUBGROUP: slow".to_owned())
                }),
                "without SUBGROUP",
            ),
            (
                changed(|device| device.error = Some("lost".to_owned())),
                "gave up before",
            ),
            (
                changed(|device| device.tune_cache.error = Some("foreign".to_owned())),
                "Tuned plans are not used",
            ),
        ] {
            let advice = advice(&report);
            assert_eq!(advice.len(), 1, "{advice:?}");
            assert!(advice[0].contains(wanted), "{advice:?}");
        }
        let mut alone = changed(|device| device.is_software = true);
        alone.adapters.remove(0);
        assert!(advice(&alone)[0].contains("its driver is not installed"));
    }

    #[test]
    fn a_failed_check_is_shown_with_what_to_do() {
        let mut report = changed(|device| {
            let Some(check) = &mut device.self_check else {
                return;
            };
            (check.is_right, check.failures) = (false, 1);
            check.checks[1].is_failure = true;
            check.checks[1].verdict = "WRONG: t[7] is 1e0 instead of 2e0".to_owned();
        });
        report.advice = advice(&report);
        let text = text(&report);
        assert!(
            text.contains("2 checks of 2 kernels in 0.5 s: 1 WRONG"),
            "{text}"
        );
        assert!(
            text.contains("  forward 3×5×7, naive: WRONG: t[7] is 1e0"),
            "{text}"
        );
        assert!(!text.contains("forward 1×1×1"), "{text}");
        assert!(text.contains("Advice\n- 1 of 2 checks failed"), "{text}");
    }
}
