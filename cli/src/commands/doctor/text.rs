//! The report for people, in lines of 80 columns.

use super::device::{CheckReport, DeviceReport, MATRIX_UNITS, Tuned};
use super::findings::{Adapter, Report};
use crate::output::{plan_in_short, wrapped};

const WIDTH: usize = 80;
/// Failed checks that are shown.
const MOST_FAILURES: usize = 10;

pub(super) fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    let system = &report.system;
    lines.push(format!(
        "wgpu-linear {} on {} {} with {} threads",
        report.version, system.os, system.architecture, system.threads
    ));
    lines.push("\nAdapters".to_owned());
    lines.extend(report.adapters.iter().map(adapter));
    if report.adapters.is_empty() {
        lines.push("  none".to_owned());
    }
    if let Some(device) = &report.device {
        of_device(device, &mut lines);
    }
    if let Some(error) = &report.error {
        lines.push(format!("\n{}", wrapped(error, "", WIDTH)));
    }
    if !report.advice.is_empty() {
        lines.push("\nAdvice".to_owned());
    }
    for advice in &report.advice {
        lines.push(wrapped(&format!("- {advice}"), "  ", WIDTH));
    }
    lines.join("\n")
}

fn adapter(adapter: &Adapter) -> String {
    let kind = match adapter.kind.as_str() {
        "DiscreteGpu" => "discrete GPU",
        "IntegratedGpu" => "integrated GPU",
        "VirtualGpu" => "virtual GPU",
        "Cpu" => "software",
        _ => "kind unknown",
    };
    let Adapter {
        name,
        backend,
        driver,
        ..
    } = adapter;
    format!("  {name}\n      {kind}, {backend}, {driver}")
}

fn of_device(device: &DeviceReport, lines: &mut Vec<String>) {
    lines.push(format!(
        "\nUsed: {}",
        wrapped(&device.adapter, "      ", WIDTH - 6)
    ));
    let [needed, wanted, here] = ["needed", "wanted", "here"];
    lines.push(format!(
        "\n{:<49}{needed:>9}{wanted:>11}{here:>11}",
        "Limits"
    ));
    for limit in &device.limits {
        let (name, needed) = (limit.name, limit.required);
        let [wanted, here] = [limit.recommended, limit.actual].map(short);
        lines.push(format!("  {name:<47}{needed:>9}{wanted:>11}{here:>11}"));
    }
    lines.push("\nFeatures".to_owned());
    for feature in &device.features {
        let is_there = match (feature.is_available, device.is_software) {
            (true, _) => "yes",
            (false, _) if feature.name == MATRIX_UNITS => "not opened",
            // Layers of f32 do without.
            (false, _) if feature.name == "SHADER_F16" => "no",
            (false, true) => "no",
            // Kernels for hardware do without.
            (false, false) => "no, nor is it needed",
        };
        lines.push(format!("  {:<47} {is_there}", feature.name));
    }
    let [forward, input, weight] = ["forward", "input gradient", "weight gradient"];
    lines.push(format!(
        "\n{:<16} {forward:<20} {input:<20} {weight}",
        "Kernels"
    ));
    for plans in &device.plans {
        let shape = &plans.shape;
        let [forward, input, weight] =
            [&plans.forward, &plans.input_grad, &plans.weight_grad].map(|plan| plan_in_short(plan));
        lines.push(format!("  {shape:<14} {forward:<20} {input:<20} {weight}"));
    }
    lines.push("  /4: sums are split into 4 slabs".to_owned());
    lines.push(tuned(&device.tune_cache));
    if let Some(check) = &device.self_check {
        self_check(check, lines);
    }
    for kernel in &device.condemned {
        let line = format!("not used in training, since it is wrong: {kernel}");
        lines.push(format!("  {}", wrapped(&line, "    ", WIDTH - 2)));
    }
    if let Some(peaks) = &device.peaks {
        let (flops, bytes) = (peaks.gflops, peaks.gigabytes_per_s);
        lines.push(format!(
            "\nPeaks\n  multiply-adds {flops:>9.1} GFLOP/s\n  copy          {bytes:>9.1} GB/s"
        ));
    }
    if let Some(error) = &device.error {
        lines.push(format!(
            "\n{}",
            wrapped(&format!("FAILED: {error}"), "  ", WIDTH)
        ));
    }
}

/// Large numbers of bytes in binary units.
fn short(number: u64) -> String {
    match number {
        _ if number < 1 << 20 => number.to_string(),
        _ if number < 1 << 30 => format!("{} Mi", number >> 20),
        _ => format!("{} Gi", number >> 30),
    }
}

fn tuned(cache: &Tuned) -> String {
    let path = cache.path.as_deref().unwrap_or("no folder for caches");
    let text = match (&cache.error, cache.plans) {
        (Some(error), _) => format!("{path}: {error}"),
        (None, 0) => format!("{path}: none"),
        (None, plans) => format!(
            "{path}: {plans}, {} for this adapter",
            cache.for_this_adapter
        ),
    };
    format!("\nTuned plans\n  {}", wrapped(&text, "  ", WIDTH - 2))
}

fn self_check(check: &CheckReport, lines: &mut Vec<String>) {
    let (made, kernels, seconds) = (check.checks.len(), check.kernels, check.seconds);
    let verdict = if check.is_right {
        "all right".to_owned()
    } else {
        format!("{} WRONG", check.failures)
    };
    lines.push(format!(
        "\nSelf-check\n  {made} checks of {kernels} kernels in {seconds:.1} s: {verdict}"
    ));
    let failures = check.checks.iter().filter(|row| row.is_failure);
    for row in failures.clone().take(MOST_FAILURES) {
        let kernels = row.kernels.join(", ");
        let line = format!("{}: {} ({kernels})", row.check, row.verdict);
        lines.push(format!("  {}", wrapped(&line, "    ", WIDTH - 2)));
    }
    let more = failures.count().saturating_sub(MOST_FAILURES);
    if more > 0 {
        lines.push(format!("  and {more} more: --json has all of them"));
    }
}
