//! Kernels changed in one place each, as a slip of the hand would: the self-check must notice.
//!
//! `scripts/mutants` runs this. What it does not notice is a gap in the checks, or stands with its
//! reason in `tests/data/wgsl_mutants.txt`.

mod survivors;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use self::survivors::Survivors;
use self::write::{Mutant, mutants_of};
use super::case::{Case, Kernels};
use super::cases::{cases, prepare_next, run};
use super::outcome::Verdict;
use crate::device::{Gpu, GpuOptions};
use crate::kernel::{File, PrepareError, ShaderChecks};
use crate::linear::{Capabilities, LinearKernels};
use crate::nn::NetworkKernels;

/// How many cases are compiled at once: most mutants are noticed by one of the first.
const AT_ONCE: usize = 4;

/// What came of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// A result was wrong, or the device gave up.
    Noticed,
    /// No compiler takes it, so that it cannot happen.
    Refused,
    /// Everything was right.
    Survived,
}

/// A device, kept until a mutant has hung it.
struct Bench {
    gpu: Gpu,
    /// Names of the cases that run each file, the fewest kernels first.
    users: BTreeMap<&'static str, Vec<String>>,
    files: Vec<File>,
}

impl Bench {
    fn new() -> Self {
        let gpu = open();
        let (mut users, mut files) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
        for (name, used) in users_of(&gpu) {
            for file in used {
                users.entry(file.name).or_default().push(name.clone());
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        files.sort_by_key(|file| file.name);
        Self { gpu, users, files }
    }

    /// With every index guarded, since a mutant may index anything; and those that survive once
    /// more without, since a guard hides who goes one too far.
    fn try_out(&mut self, mutant: &Mutant) -> Fate {
        match self.try_with(mutant, ShaderChecks::All) {
            Fate::Survived => self.try_with(mutant, ShaderChecks::default()),
            fate => fate,
        }
    }

    /// Goes through all cases that run the mutant's file, until one notices.
    fn try_with(&mut self, mutant: &Mutant, checks: ShaderChecks) -> Fate {
        let users: BTreeSet<_> = self.users[mutant.file].iter().cloned().collect();
        let fault = mutant.fault(checks);
        let gpu = self.gpu.clone().with_fault(fault);
        let (linear, network) = (LinearKernels::of(&gpu), NetworkKernels::of(&gpu));
        let kernels = Kernels {
            gpu: &gpu,
            linear: &linear,
            network: &network,
        };
        let mut ahead = all_cases(&self.gpu);
        ahead.retain(|case| users.contains(&case.name.to_string()));
        let mut fate = Fate::Refused;
        while !ahead.is_empty() {
            let rest = ahead.split_off(ahead.len().min(AT_ONCE));
            let Ok(found) = run(ahead, &kernels) else {
                self.gpu = open();
                return Fate::Noticed;
            };
            ahead = rest;
            for check in found.checks {
                match check.verdict {
                    Verdict::Wrong(_) => return Fate::Noticed,
                    Verdict::Right { .. } => fate = Fate::Survived,
                    Verdict::Refused(PrepareError::Refused { .. }) => return Fate::Refused,
                    Verdict::Refused(_) => {}
                }
            }
        }
        fate
    }
}

fn open() -> Gpu {
    Gpu::open(&GpuOptions {
        timeout: Duration::from_secs(10),
        ..GpuOptions::default()
    })
    .unwrap()
    .with_first_use_checks(false)
}

/// What this adapter runs, and what hardware would.
fn all_cases(gpu: &Gpu) -> Vec<Case> {
    let here = LinearKernels::of(gpu).capabilities().clone();
    let mut seen = BTreeSet::new();
    let mut all = cases(&here, |_| true);
    all.extend(cases(&Capabilities::hardware(), |_| true));
    all.retain(|case| seen.insert(case.name.to_string()));
    all
}

/// Each case with the files of its kernels. Nothing is computed.
fn users_of(gpu: &Gpu) -> Vec<(String, Vec<File>)> {
    let (linear, network) = (LinearKernels::of(gpu), NetworkKernels::of(gpu));
    let kernels = Kernels {
        gpu,
        linear: &linear,
        network: &network,
    };
    let (mut ahead, mut users) = (all_cases(gpu), Vec::new());
    while !ahead.is_empty() {
        for prepared in prepare_next(&mut ahead, &kernels) {
            users.push((prepared.name().to_string(), prepared.files()));
        }
    }
    users
}

/// Every `step`th of all mutants, from `first` on, as the environment says: `first/step`.
fn share() -> (usize, usize) {
    let Some(text) = crate::kernel::from_env("WGPU_LINEAR_MUTANTS") else {
        return (0, 1);
    };
    let (first, step) = text
        .split_once('/')
        .expect("WGPU_LINEAR_MUTANTS=FIRST/STEP");
    (first.parse().unwrap(), step.parse().unwrap())
}

#[test]
#[ignore = "takes an hour: scripts/mutants"]
fn every_mutant_is_noticed_or_has_a_reason() {
    let (begin, mut bench) = (Instant::now(), Bench::new());
    let survivors = Survivors::read();
    let all: Vec<_> = bench.files.iter().flat_map(mutants_of).collect();
    survivors.expect_all_among(&all);
    let (first, step) = share();
    let mut fates = BTreeMap::<_, usize>::new();
    let mut unexplained = Vec::new();
    for mutant in all.iter().skip(first).step_by(step) {
        let fate = bench.try_out(mutant);
        *fates.entry(fate).or_default() += 1;
        println!(
            "{:6.0} s  {fate:?}: {mutant}",
            begin.elapsed().as_secs_f64()
        );
        match (fate, survivors.reason(mutant)) {
            (Fate::Survived, None) => unexplained.push(format!("survived: {mutant}")),
            (Fate::Noticed | Fate::Refused, Some(_)) => {
                unexplained.push(format!("is noticed, and needs no reason: {mutant}"));
            }
            _ => {}
        }
    }
    println!("{fates:?} of {} mutants", all.len());
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}
