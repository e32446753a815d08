//! Settings, device and times, and how to repeat it all.

use maud::{Markup, html};

use super::super::content::{Run, RunReport};
use super::super::number::{about, duration, percent};

pub(in super::super) fn configuration(report: &RunReport) -> Option<Markup> {
    let settings = &report.configuration;
    (!settings.is_empty()).then(|| {
        html! {
            div class="scroll" role="region" aria-label="Settings" tabindex="0" {
                table class="settings" {
                    caption { span { "The settings of the run" } }
                    thead { tr { th scope="col" { "Setting" } th scope="col" { "Value" } } }
                    tbody { @for setting in settings { tr {
                        th scope="row" { (setting.name) }
                        td { (setting.value) }
                    } } }
                }
            }
        }
    })
}

pub(in super::super) fn section(report: &RunReport) -> Option<Markup> {
    let run = &report.run;
    if *run == Run::default() {
        return None;
    }
    Some(html! {
        @if let Some(command) = &run.command {
            p { "This repeats the run:" }
            pre tabindex="0" { code { (command) } }
        }
        dl class="facts" {
            @if let Some(device) = &run.device { div { dt { "Device" } dd { (device) } } }
            @if let Some(speed) = run.examples_per_second {
                div { dt { "Speed" } dd { (about(speed)) " examples a second" } }
            }
            @if let Some(version) = &run.version { div { dt { "Version" } dd { (version) } } }
            @if let Some(date) = &run.date { div { dt { "Date" } dd { (date) } } }
        }
        @if !run.timings.is_empty() { (timings(run)) }
    })
}

fn timings(run: &Run) -> Markup {
    let total: f64 = run.timings.iter().map(|timing| timing.seconds).sum();
    html! {
        table class="numbers" {
            caption { span { "Where the time went" } }
            thead { tr {
                th scope="col" { "What" }
                th scope="col" class="number" { "Time" }
                th scope="col" class="number" { "Share" }
            } }
            tbody { @for timing in &run.timings { tr {
                th scope="row" { (timing.what) }
                td class="number" { (duration(timing.seconds)) }
                td class="number" { @if total > 0.0 { (percent(timing.seconds / total)) } }
            } } }
            tfoot {
                tr { th scope="row" { "Total" } td class="number" { (duration(total)) } td {} }
            }
        }
    }
}

/// Who made the page, and when.
pub(in super::super) fn footer(report: &RunReport) -> Markup {
    let version = report.run.version.as_deref().unwrap_or("wgpu-linear");
    html! {
        footer {
            p {
                "Made by " (version)
                @if let Some(date) = &report.run.date { ", " (date) }
                ". The same as data: report.json."
            }
        }
    }
}
