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
use super::cases::{cases, run};
use super::operands::GUARD_BYTES;
use super::outcome::{Check, Verdict};
use super::tests::prepare_each;
use crate::device::{Gpu, GpuOptions};
use crate::kernel::{Fault, File, PrepareError, ShaderChecks, from_env};
use crate::linear::{Algorithm, Capabilities, LinearKernels};
use crate::nn::NetworkKernels;

/// How many cases are compiled at once: most mutants are noticed by one of the first.
const AT_ONCE: usize = 2;

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

/// A change that changes nothing.
const NONE: Fault = Fault {
    kernel: Fault::ANY,
    text: "no such text",
    instead: "",
    checks: ShaderChecks::All,
    slack_bytes: GUARD_BYTES,
};

/// Devices, kept until a mutant has hung one.
struct Bench {
    gpu: Gpu,
    narrow_gpu: Gpu,
    cases: BTreeMap<String, Case>,
    /// Names of the cases that run each file. Who has noticed a mutant is asked first of the next.
    users: BTreeMap<&'static str, Vec<String>>,
    files: Vec<File>,
}

impl Bench {
    /// For mutants of the files of these names, or of all. Compiling all products takes a minute or
    /// two, which files that none of them has can do without.
    fn new(wanted: Option<&[String]>) -> Self {
        let gpu = open();
        let mut bench = Self {
            narrow_gpu: open_narrow(),
            cases: BTreeMap::new(),
            users: BTreeMap::new(),
            files: Vec::new(),
            gpu: gpu.clone(),
        };
        let (products, others): (Vec<_>, _) = all_cases(&gpu)
            .into_iter()
            .partition(|case| case.plan.is_some());
        bench.take(others);
        let is_of_others = |name: &String| bench.users.contains_key(name.as_str());
        let of_products = files_of_products();
        let is_of_products = |name: &String| of_products.contains(name.as_str());
        if !wanted.is_some_and(|names| {
            names
                .iter()
                .all(|name| is_of_others(name) && !is_of_products(name))
        }) {
            bench.take(products);
        }
        let is_wanted =
            |file: &File| wanted.is_none_or(|names| names.iter().any(|n| n == file.name));
        bench.files.retain(is_wanted);
        bench.files.sort_by_key(|file| file.name);
        bench
    }

    /// Learns which files the cases run.
    fn take(&mut self, cases: Vec<Case>) {
        let named = cases
            .iter()
            .map(|case| (case.name.to_string(), case.clone()));
        self.cases.extend(named);
        for (name, used) in users_of(&self.gpu, cases) {
            for file in &used {
                if is_told_by(&used, file) {
                    self.users.entry(file.name).or_default().push(name.clone());
                }
                if !self.files.contains(file) {
                    self.files.push(*file);
                }
            }
        }
    }

    /// With every index guarded, since a mutant may index anything. Those that survive are tried
    /// once more where operands lie in parts.
    fn try_out(&mut self, mutant: &Mutant) -> Fate {
        for gpu in [self.gpu.clone(), self.narrow_gpu.clone()] {
            let (fate, by) = ask(&gpu, self.cases_of(&[mutant.file]), mutant.fault());
            match (fate, by) {
                (Fate::Survived, _) => continue,
                (Fate::Noticed, Some(check)) => {
                    self.ask_first(mutant.file, &check.name.to_string())
                }
                (Fate::Noticed, None) => (self.gpu, self.narrow_gpu) = (open(), open_narrow()),
                (Fate::Refused, _) => {}
            }
            return fate;
        }
        Fate::Survived
    }

    /// Where nothing is changed, nothing may be noticed in parts, either.
    fn expect_nothing(&self) {
        let names: Vec<_> = self.files.iter().map(|file| file.name).collect();
        let found = ask(&self.narrow_gpu, self.cases_of(&names), NONE);
        assert!(matches!(found, (Fate::Survived, None)), "{found:?}");
    }

    /// Those that run one of the files, in the order in which they are asked.
    fn cases_of(&self, files: &[&'static str]) -> Vec<Case> {
        let mut seen = BTreeSet::new();
        let users = files.iter().flat_map(|file| &self.users[file]);
        let users = users.filter(|name| seen.insert(*name));
        users.map(|name| self.cases[name].clone()).collect()
    }

    fn ask_first(&mut self, file: &str, name: &str) {
        let users = self.users.get_mut(file).into_iter();
        for users in users {
            let place = users.iter().position(|user| user == name);
            users[..=place.unwrap_or(0)].rotate_right(1);
        }
    }
}

/// Goes through the cases until one notices the fault: which, unless the device has failed.
fn ask(gpu: &Gpu, cases: Vec<Case>, fault: Fault) -> (Fate, Option<Check>) {
    let gpu = gpu.clone().with_fault(fault);
    let (linear, network) = (LinearKernels::of(&gpu), NetworkKernels::of(&gpu));
    let kernels = Kernels {
        gpu: &gpu,
        linear: &linear,
        network: &network,
    };
    let (mut fate, mut ahead) = (Fate::Refused, cases);
    while !ahead.is_empty() {
        let rest = ahead.split_off(ahead.len().min(AT_ONCE));
        let Ok(found) = run(ahead, &kernels) else {
            return (Fate::Noticed, None);
        };
        ahead = rest;
        for check in found.checks {
            match &check.verdict {
                Verdict::Wrong(_) => return (Fate::Noticed, Some(check)),
                Verdict::Right { .. } => fate = Fate::Survived,
                Verdict::Refused(PrepareError::Refused { .. }) => {
                    return (Fate::Refused, Some(check));
                }
                Verdict::Refused(_) => {}
            }
        }
    }
    (fate, None)
}

/// Whether a case with these files tells something of this one: products with an activation are
/// asked about the activation alone, but for those with one of the two simplest.
fn is_told_by(used: &[File], file: &File) -> bool {
    const ALL: &str = "parts/activations/";
    const SIMPLE: [&str; 2] = ["identity.wgsl", "leaky_relu.wgsl"];
    const BELOW: [&str; 2] = ["parts/logistic.wgsl", "parts/log_one_plus.wgsl"];
    let is_complex = |file: &File| {
        let name = file.name.strip_prefix(ALL);
        name.is_some_and(|name| !SIMPLE.contains(&name))
    };
    is_complex(file) || BELOW.contains(&file.name) || !used.iter().any(is_complex)
}

fn open() -> Gpu {
    Gpu::open(&GpuOptions {
        timeout: Duration::from_secs(10),
        ..GpuOptions::default()
    })
    .unwrap()
    .with_first_use_checks(false)
}

/// One that binds little at once and runs few workgroups side by side: what is larger lies in
/// parts, and grids are folded.
fn open_narrow() -> Gpu {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let features = wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16;
    let descriptor = wgpu::DeviceDescriptor {
        required_features: adapter.features() & features,
        required_limits: wgpu::Limits {
            max_storage_buffer_binding_size: 64 << 10,
            max_compute_workgroups_per_dimension: 16,
            ..adapter.limits()
        },
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    Gpu::wrap(device, queue).with_first_use_checks(false)
}

/// What this adapter runs, what it would without subgroups, and what hardware would: of these the
/// cases that the environment asks for by parts of their names, with `;` between, or all.
fn all_cases(gpu: &Gpu) -> Vec<Case> {
    let here = LinearKernels::of(gpu).capabilities().clone();
    let mut seen = BTreeSet::new();
    let mut all = cases(&here, |_| true);
    all.extend(cases(&Capabilities::hardware(), |_| true));
    // Where threads hand each other nothing, each loads for itself.
    let alone = Capabilities {
        subgroup_sizes: None,
        ..here
    };
    let loads = |case: &Case| {
        let plan = case.plan.map(|(_, _, plan)| plan.algorithm);
        matches!(plan, Some(Algorithm::Broadcast(_)))
    };
    all.extend(cases(&alone, |_| true).into_iter().filter(loads));
    let by = from_env("WGPU_LINEAR_MUTANTS_BY").unwrap_or_default();
    all.retain(|case| {
        let name = case.name.to_string();
        by.split(';').any(|part| name.contains(part)) && seen.insert(name)
    });
    all
}

/// Each case with the files of its kernels. All are right, where nothing is changed.
fn users_of(gpu: &Gpu, cases: Vec<Case>) -> Vec<(String, Vec<File>)> {
    let gpu = gpu.clone().with_fault(NONE);
    let mut users = Vec::new();
    prepare_each(&gpu, cases, |prepared| {
        users.push((prepared.name().to_string(), prepared.files()));
        let check = prepared.check(&gpu).unwrap();
        assert!(!check.verdict.is_failure(), "{check}");
    });
    users
}

/// On a device that compiles nothing, and has the simplest features alone.
fn files_of_products() -> BTreeSet<&'static str> {
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    let mut products = cases(&Capabilities::hardware(), |_| true);
    products.retain(|case| case.plan.is_some());
    let mut files = BTreeSet::new();
    prepare_each(&Gpu::wrap(device, queue), products, |prepared| {
        files.extend(prepared.files().into_iter().map(|file| file.name));
    });
    files
}

/// Names of files that the environment asks for, separated by commas.
fn files_wanted() -> Option<Vec<String>> {
    let names = from_env("WGPU_LINEAR_MUTANTS_OF")?;
    Some(names.split(',').map(str::to_owned).collect())
}

/// Those that the environment asks for: `listed`, or every `step`th from `first` on, as
/// `first/step`.
fn asked_for(mutants: Vec<Mutant>, survivors: &Survivors) -> Vec<Mutant> {
    let Some(text) = from_env("WGPU_LINEAR_MUTANTS") else {
        return mutants;
    };
    let mutants = mutants.into_iter();
    if text == "listed" {
        let is_listed = |mutant: &Mutant| survivors.reason(mutant).is_some();
        return mutants.filter(is_listed).collect();
    }
    let (first, step) = text.split_once('/').expect("first/step");
    let (first, step) = (first.parse().unwrap(), step.parse().unwrap());
    mutants.skip(first).step_by(step).collect()
}

#[test]
#[ignore = "takes long: scripts/mutants"]
fn every_mutant_is_noticed_or_has_a_reason() {
    let (begin, wanted) = (Instant::now(), files_wanted());
    let mut bench = Bench::new(wanted.as_deref());
    if let Some(wanted) = &wanted {
        let is_there = |name: &&String| bench.files.iter().any(|file| file.name == **name);
        let missing = wanted.iter().find(|name| !is_there(name));
        assert_eq!(missing, None, "no case runs it");
    }
    bench.expect_nothing();
    let survivors = Survivors::read();
    let all: Vec<_> = bench.files.iter().flat_map(mutants_of).collect();
    survivors.expect_all_among(&all, wanted.as_deref());
    let of_all = all.len();
    let mutants = asked_for(all, &survivors);
    let mut fates = BTreeMap::<_, usize>::new();
    let mut unexplained = Vec::new();
    for mutant in &mutants {
        let fate = bench.try_out(mutant);
        *fates.entry(fate).or_default() += 1;
        let seconds = begin.elapsed().as_secs_f64();
        println!("{seconds:6.0} s  {fate:?}: {mutant}");
        match (fate, survivors.reason(mutant)) {
            (Fate::Survived, None) => unexplained.push(format!("survived: {mutant}")),
            // A GPU may see races that a CPU does not.
            (Fate::Noticed | Fate::Refused, Some(reason)) => {
                println!("  in the list, though, since: {reason}");
            }
            _ => {}
        }
    }
    println!("{fates:?} of {of_all} mutants");
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}
