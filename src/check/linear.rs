//! Cases of the four operations: each plan on small whole numbers, whose results are exact, and
//! what is planned on reals too.

use super::case::Case;
use super::layer::{Form, Layer, Numbers, shape};
use super::outcome::CheckName;
use crate::linear::{Activation, Algorithm, Capabilities, Plan, Precision, ranked_candidates};

/// Shapes around the edges of tiles, aligned to 4 elements and not, with sums long enough for slabs
/// and, on llvmpipe, for several passes.
const SHAPES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [3, 5, 7],
    [1, 260, 132],
    [2, 131, 517],
    [3, 517, 131],
    [8, 132, 520],
    [13, 517, 35],
    [517, 35, 13],
    [520, 36, 8],
    [64, 64, 64],
    // Rows of a multiple of 4 elements in the left factor alone, and few columns.
    [29, 520, 3],
    [37, 4, 516],
    [131, 20, 133],
    // A last tile of one column; and several tiles of rows where columns lie in parts.
    [37, 132, 129],
];
/// Of no rows, whose weight gradient has no terms.
const EMPTY: [usize; 3] = [0, 70, 5];
/// Two passes for eight columns on llvmpipe.
const LONG: [usize; 3] = [4, 40_000, 5];
/// Batch and outputs of bias gradients: few rows, many, and two passes on software.
const BIAS_SHAPES: [[usize; 2]; 4] = [[7, 3], [700, 33], [65, 100], [300_000, 1]];

/// The products.
const FORMS: [Form; 3] = [
    Form::Forward { has_bias: true },
    Form::InputGrad,
    Form::WeightGrad { has_db: true },
];

/// Exact on whole numbers, and its slope is never 0.
const LEAKY: Activation = Activation::LeakyRelu { slope: -2.0 };

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut cases = Vec::new();
    for sizes in SHAPES {
        for form in FORMS {
            for plan in plans(sizes, form, capabilities) {
                cases.push(case(form, sizes, Numbers::Whole, plan));
            }
        }
    }
    let of_nothing = Form::WeightGrad { has_db: true };
    for plan in plans(EMPTY, of_nothing, capabilities) {
        cases.push(case(of_nothing, EMPTY, Numbers::Whole, plan));
    }
    for sizes in [[5, 7, 9], [64, 64, 64]] {
        let forms = [
            Form::Forward { has_bias: false },
            Form::Activated(LEAKY),
            Form::Inference(LEAKY),
            Form::BelowActivation(LEAKY),
            Form::WeightGrad { has_db: false },
        ];
        cases.extend(forms.map(|form| planned(form, sizes, Numbers::Whole, capabilities)));
    }
    cases.extend(activated(capabilities));
    cases.extend(real(capabilities));
    cases.extend(long(capabilities));
    if capabilities.has_f16 {
        cases.extend(halves(capabilities));
    }
    cases
}

/// Matrices of f16, and of f16 and f32 together: each kernel, aligned to four elements and not, and every
/// epilogue.
fn halves(capabilities: &Capabilities) -> Vec<Case> {
    let capabilities = &capabilities.rounding_factors();
    let mut cases = Vec::new();
    for sizes in [[3, 5, 7], [13, 517, 35], [64, 64, 64], [1, 260, 132]] {
        for form in FORMS {
            for plan in plans(sizes, form, capabilities) {
                cases.push(stored(form, sizes, Numbers::Whole, plan, Precision::F16));
            }
        }
    }
    cases.extend(by_units(capabilities));
    for precision in [Precision::F16, Precision::Mixed] {
        let of = |form, sizes, numbers, plan| stored(form, sizes, numbers, plan, precision);
        for (form, numbers) in [
            (Form::Activated(LEAKY), Numbers::Quarters),
            (Form::Inference(LEAKY), Numbers::Quarters),
            (Form::BelowActivation(LEAKY), Numbers::Quarters),
            (Form::Forward { has_bias: true }, Numbers::Real),
            (Form::InputGrad, Numbers::Real),
            (Form::WeightGrad { has_db: true }, Numbers::Real),
            (Form::BiasGrad, Numbers::Real),
        ] {
            for sizes in [[9, 7, 11], [36, 132, 68]] {
                let plan = planned_for(form, sizes, capabilities);
                cases.push(of(form, sizes, numbers, plan));
            }
        }
        // Long sums are taken in passes, which must not be rounded in between.
        let form = Form::Forward { has_bias: true };
        let plan = planned_for(form, LONG, capabilities);
        cases.push(of(form, LONG, Numbers::Whole, plan));
    }
    cases
}

/// By matrix units, where the device was opened with them: every epilogue, around the edges of tiles.
fn by_units(capabilities: &Capabilities) -> Vec<Case> {
    let mut cases = Vec::new();
    for (form, numbers) in [
        (Form::Forward { has_bias: false }, Numbers::Whole),
        (Form::Activated(LEAKY), Numbers::Quarters),
        (Form::Inference(LEAKY), Numbers::Quarters),
        (Form::BelowActivation(LEAKY), Numbers::Quarters),
        (Form::WeightGrad { has_db: false }, Numbers::Whole),
        (Form::Forward { has_bias: true }, Numbers::Real),
        (Form::InputGrad, Numbers::Real),
        (Form::WeightGrad { has_db: true }, Numbers::Real),
    ] {
        for sizes in [[9, 7, 11], [36, 132, 68]] {
            let mut plans = plans(sizes, form, capabilities);
            plans.retain(|plan| matches!(plan.algorithm, Algorithm::Cooperative(_)));
            let of = |plan| stored(form, sizes, numbers, plan, Precision::F16);
            cases.extend(plans.into_iter().map(of));
        }
    }
    cases
}

/// Every activation as an epilogue.
fn activated(capabilities: &Capabilities) -> impl Iterator<Item = Case> {
    let of = |function| {
        [
            Form::Activated(function),
            Form::Inference(function),
            Form::BelowActivation(function),
        ]
        .map(|form| planned(form, [9, 4, 12], Numbers::Quarters, capabilities))
    };
    Activation::ALL.into_iter().flat_map(of)
}

/// A device that multiplies with fewer digits than f32 has is right on small whole numbers.
fn real(capabilities: &Capabilities) -> impl Iterator<Item = Case> {
    let of = |sizes| {
        [
            Form::Forward { has_bias: true },
            Form::InputGrad,
            Form::WeightGrad { has_db: true },
            Form::BiasGrad,
        ]
        .map(|form| planned(form, sizes, Numbers::Real, capabilities))
    };
    [[13, 517, 35], [64, 64, 64]].into_iter().flat_map(of)
}

fn long(capabilities: &Capabilities) -> Vec<Case> {
    let forward = Form::Forward { has_bias: true };
    let mut cases: Vec<_> = plans(LONG, forward, capabilities)
        .into_iter()
        .map(|plan| case(forward, LONG, Numbers::Whole, plan))
        .collect();
    for [batch, outputs] in BIAS_SHAPES {
        let sizes = [batch, 0, outputs];
        for plan in plans(sizes, Form::BiasGrad, capabilities) {
            cases.push(case(Form::BiasGrad, sizes, Numbers::Whole, plan));
        }
    }
    cases
}

/// The planner's choice, and of every other kernel the best geometry, whole and in slabs. On
/// hardware every tile is a kernel of its own: which is best depends on how large the device is.
fn plans(sizes: [usize; 3], form: Form, capabilities: &Capabilities) -> Vec<Plan> {
    let mut seen = Vec::new();
    let mut is_new = |kernel: (Option<Algorithm>, u32)| {
        let is_new = !seen.contains(&kernel);
        seen.push(kernel);
        is_new
    };
    let mut plans = ranked_candidates(shape(sizes), form.operation(), capabilities);
    plans.retain(|plan| {
        let algorithm = match plan.algorithm {
            Algorithm::Broadcast(_) => None,
            algorithm => Some(algorithm),
        };
        let multiplies = is_new((algorithm, u32::from(plan.slabs > 1)));
        // What adds slabs up loads two, four or eight at once.
        let adds = is_new((Some(Algorithm::SumRows), plan.slabs.min(8)));
        multiplies || adds
    });
    plans
}

fn planned(form: Form, sizes: [usize; 3], numbers: Numbers, capabilities: &Capabilities) -> Case {
    let plan = planned_for(form, sizes, capabilities);
    case(form, sizes, numbers, plan)
}

fn planned_for(form: Form, sizes: [usize; 3], capabilities: &Capabilities) -> Plan {
    crate::linear::plan(form.shape(sizes), form.operation(), capabilities)
}

fn case(form: Form, sizes: [usize; 3], numbers: Numbers, plan: Plan) -> Case {
    stored(form, sizes, numbers, plan, Precision::F32)
}

fn stored(
    form: Form,
    sizes: [usize; 3],
    numbers: Numbers,
    plan: Plan,
    precision: Precision,
) -> Case {
    let [batch, inputs, outputs] = sizes;
    let (operation, words) = form.words();
    let reals = (numbers == Numbers::Real).then_some("reals");
    let precisely = (precision != Precision::F32).then_some(precision.name());
    let others = [reals, precisely].map(|word| word.map(str::to_owned));
    let variant: Vec<_> = [Some(plan.to_string()), words]
        .into_iter()
        .chain(others)
        .flatten()
        .collect();
    let name = CheckName {
        operation,
        shape: match form {
            Form::BiasGrad => format!("{batch}×{outputs}"),
            _ => format!("{batch}×{inputs}×{outputs}"),
        },
        variant: variant.join(", "),
    };
    Case::new(name, move |kernels| {
        Layer::new(sizes, numbers, precision).prepare(form, kernels)
    })
    .by(form.shape(sizes), form.operation(), plan)
}
