//! Schedules against PyTorch's formulas, their texts, and learning rates that fall on plateaus.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use approx::assert_relative_eq;
use ndarray::Array2;
use wgpu_linear::model::{Model, ModelError};
use wgpu_linear::train::{
    Dataset, Goal, Metric, PlateauState, ReduceOnPlateau, Schedule, ScheduleError, TrainError,
    TrainOptions, Trainer,
};

use crate::training::Recorder;

fn check(schedule: Schedule, steps: u64, expected: &[f32]) {
    for (step, expected) in (0..).zip(expected) {
        let factor = schedule.factor(step, steps, 0);
        assert_relative_eq!(factor, *expected, max_relative = 2e-5);
    }
}

#[test]
fn linear_is_a_straight_line() {
    // LinearLR(start_factor=1, end_factor=0.2, total_iters=4)
    check(Schedule::Linear { end: 0.2 }, 4, &[1.0, 0.8, 0.6, 0.4, 0.2]);
    assert_eq!(Schedule::Linear { end: 0.5 }.factor(0, 0, 0), 1.0);
}

#[test]
fn exponential_multiplies_every_epoch() {
    let schedule = Schedule::Exponential { factor: 0.5 };
    let factors = [0, 1, 2, 10].map(|epoch| schedule.factor(77, 100, epoch));
    assert_eq!(factors, [1.0, 0.5, 0.25, 1.0 / 1024.0]);
}

/// The formula of OneCycleLR with `anneal_strategy="cos"`, worked out in f64 by a few lines of
/// Python.
#[test]
fn one_cycle_rises_and_falls_as_that_of_pytorch() {
    // total_steps=10, pct_start=0.3, div_factor=25, final_div_factor=1e4
    check(
        Schedule::one_cycle(),
        10,
        &[
            0.04,
            0.52,
            1.0,
            0.950_484_63,
            0.811_745_65,
            0.611_262,
            0.388_741_98,
            0.188_258_35,
            0.049_519_368,
            4e-6,
        ],
    );
    // total_steps=6, pct_start=0.5, div_factor=4, final_div_factor=100
    let schedule = Schedule::OneCycle {
        warmup: 0.5,
        start_divisor: 4.0,
        end_divisor: 100.0,
    };
    check(
        schedule,
        6,
        &[0.25, 0.625, 1.0, 0.750_625, 0.251_875, 0.0025],
    );
}

#[test]
fn one_cycle_has_a_factor_in_every_corner() {
    let cycle = |warmup| Schedule::OneCycle {
        warmup,
        start_divisor: 10.0,
        end_divisor: 10.0,
    };
    for warmup in [0.0, 0.1, 0.5, 1.0] {
        for steps in 0..12 {
            for step in 0..=steps + 1 {
                let factor = cycle(warmup).factor(step, steps, 0);
                assert!(
                    (0.01 - 1e-6..=1.0).contains(&factor),
                    "{warmup} {step} {steps}: {factor}"
                );
            }
        }
    }
    // The share is one step; all steps rise; none is left but the warm-up's; none rises.
    assert_relative_eq!(cycle(0.1).factor(0, 10, 0), 0.1);
    assert_relative_eq!(cycle(1.0).factor(0, 1, 0), 0.1);
    assert_eq!(cycle(1.0).factor(9, 10, 0), 1.0);
    assert_relative_eq!(cycle(0.5).factor(0, 0, 0), 0.1);
    assert_relative_eq!(cycle(0.0).factor(9, 10, 0), 0.01, max_relative = 1e-5);
}

const WRITTEN: [(&str, Schedule); 7] = [
    ("constant", Schedule::Constant),
    ("linear:0.1", Schedule::Linear { end: 0.1 }),
    ("cosine:0.01", Schedule::Cosine { floor: 0.01 }),
    (
        "steps:10:0.5",
        Schedule::Steps {
            epochs: 10,
            factor: 0.5,
        },
    ),
    ("exponential:0.95", Schedule::Exponential { factor: 0.95 }),
    ("one-cycle:0.3:25:10000", Schedule::one_cycle()),
    (
        "one-cycle:0:1.5:0.0000001",
        Schedule::OneCycle {
            warmup: 0.0,
            start_divisor: 1.5,
            end_divisor: 1e-7,
        },
    ),
];

#[test]
fn schedules_are_written_and_read() {
    for (text, schedule) in WRITTEN {
        assert_eq!(schedule.to_string(), text);
        assert_eq!(text.parse(), Ok(schedule));
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
    }
    for (text, schedule) in [
        ("linear", Schedule::Linear { end: 0.0 }),
        ("cosine", Schedule::Cosine { floor: 0.0 }),
        ("one-cycle", Schedule::one_cycle()),
        ("one-cycle:0.3:25", Schedule::one_cycle()),
    ] {
        assert_eq!(text.parse(), Ok(schedule), "{text}");
    }
}

#[test]
fn texts_that_are_no_schedule_are_refused() {
    for (text, expected) in [
        ("", "constant, linear:END, "),
        ("sawtooth:1", "constant, linear:END, "),
        ("constant:1", "constant, without"),
        ("constant:", "constant, without"),
        ("linear:-0.1", "linear:END, "),
        ("cosine:nan", "cosine:FLOOR, "),
        ("cosine:inf", "cosine:FLOOR, "),
        ("cosine:", "cosine:FLOOR, "),
        ("cosine:0.1:2", "cosine:FLOOR, "),
        ("steps:10", "steps:EPOCHS:FACTOR, "),
        ("steps:0:0.5", "steps:EPOCHS:FACTOR, "),
        ("steps:1.5:0.5", "steps:EPOCHS:FACTOR, "),
        ("exponential", "exponential:FACTOR, "),
        ("one-cycle:1.1", "one-cycle:WARMUP:"),
        ("one-cycle:0.3:0", "one-cycle:WARMUP:"),
        ("one-cycle:0.3:25:1e4:1", "one-cycle:WARMUP:"),
    ] {
        let error = text.parse::<Schedule>().unwrap_err();
        let ScheduleError {
            text: named,
            expected: form,
        } = &error;
        assert_eq!(named, text);
        assert!(form.starts_with(expected), "{text}: {error}");
        let json = format!("\"{text}\"");
        let refused = serde_json::from_str::<Schedule>(&json).unwrap_err();
        assert!(refused.to_string().contains(form), "{refused}");
    }
}

/// Factors after each epoch.
fn plateau(settings: &ReduceOnPlateau, values: &[f32]) -> Vec<f32> {
    let mut state = PlateauState::default();
    let factors = values.iter().map(|value| {
        state = state.after(settings, *value);
        state.factor
    });
    factors.collect()
}

fn halving(patience: u32) -> ReduceOnPlateau {
    ReduceOnPlateau {
        factor: 0.5,
        patience,
        ..ReduceOnPlateau::min("loss")
    }
}

#[test]
fn plateau_reduces_after_more_than_its_patience() {
    let values = [5.0, 4.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0];
    assert_eq!(
        plateau(&halving(2), &values),
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    );
    assert_eq!(
        plateau(&halving(0), &[1.0, 1.0, 0.5, 0.6]),
        [1.0, 0.5, 0.5, 0.25]
    );
    let rising = ReduceOnPlateau {
        goal: Goal::Max,
        ..halving(0)
    };
    assert_eq!(plateau(&rising, &[1.0, 2.0, 1.5]), [1.0, 1.0, 0.5]);
    assert_eq!(ReduceOnPlateau::max("f1").goal, Goal::Max);
}

#[test]
fn plateau_wants_a_share_of_the_best_for_an_improvement() {
    let settings = |goal| ReduceOnPlateau {
        threshold: 0.25,
        goal,
        ..halving(0)
    };
    let small = settings(Goal::Min);
    assert_eq!(plateau(&small, &[4.0, 3.0, 2.5]), [1.0, 0.5, 0.5]);
    let large = settings(Goal::Max);
    assert_eq!(plateau(&large, &[4.0, 5.0, 5.5]), [1.0, 0.5, 0.5]);
    // Below zero a share of the best is no step back.
    assert_eq!(
        plateau(&large, &[-4.0, -4.5, -3.0, -2.0]),
        [1.0, 0.5, 0.25, 0.25]
    );
    assert_eq!(plateau(&small, &[-4.0, -3.5, -5.5]), [1.0, 0.5, 0.5]);
}

#[test]
fn plateau_takes_no_nan_for_an_improvement() {
    let nan = f32::NAN;
    assert_eq!(
        plateau(&halving(1), &[nan, nan, 1.0, nan, nan]),
        [1.0, 0.5, 0.5, 0.5, 0.25]
    );
    let state = PlateauState::default().after(&halving(9), nan);
    assert_eq!((state.best, state.waited), (None, 1));
}

#[test]
fn plateau_cools_down_and_has_a_floor() {
    let settings = ReduceOnPlateau {
        cooldown: 2,
        min_factor: 0.2,
        ..halving(0)
    };
    // The second value reduces; two epochs are not counted; the fifth reduces again, and so on.
    assert_eq!(
        plateau(&settings, &[1.0; 9]),
        [1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2]
    );
}

#[test]
fn plateau_goes_on_from_a_state_that_was_written_down() {
    let settings = ReduceOnPlateau {
        cooldown: 1,
        ..halving(1)
    };
    let values = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0];
    let whole = plateau(&settings, &values);
    for at in 0..values.len() {
        let (before, after) = values.split_at(at);
        let step = |state: PlateauState, value: &f32| state.after(&settings, *value);
        let state = before.iter().fold(PlateauState::default(), step);
        let json = serde_json::to_string(&state).unwrap();
        let mut state: PlateauState = serde_json::from_str(&json).unwrap();
        for (value, expected) in after.iter().zip(&whole[at..]) {
            state = step(state, value);
            assert_eq!(state.factor, *expected, "broken off after {at}");
        }
    }
}

/// One step an epoch, as many as values; a metric has these values in turn.
fn run(plateau: ReduceOnPlateau, values: &'static [f32]) -> Result<Vec<f32>, TrainError> {
    let data = Dataset::new(Array2::zeros((3, 1)), vec![0, 1, 0]).unwrap();
    let mut model = Recorder::of_sizes(&[1, 2]);
    let usual = model.learning_rate();
    let epoch = AtomicUsize::new(0);
    let script = Metric::new("script", move |_, _| {
        values[epoch.fetch_add(1, Ordering::Relaxed)]
    });
    let options = TrainOptions {
        epochs: values.len() as u32,
        schedule: Schedule::Steps {
            epochs: 3,
            factor: 0.1,
        },
        ..TrainOptions::default()
    };
    Trainer::new(options)
        .with_metric(script)
        .with_plateau(plateau)
        .run(&mut model, &data, &data, |_| ControlFlow::Continue(()))?;
    assert_eq!(model.learning_rate(), usual, "given back");
    Ok(model.rates.iter().map(|rate| rate / usual).collect())
}

#[test]
fn trainer_multiplies_plateau_and_schedule() {
    let settings = ReduceOnPlateau {
        metric: "script".to_owned(),
        ..halving(0)
    };
    let rates = run(settings, &[1.0, 1.0, 0.5, 0.5, 0.5]).unwrap();
    // What an epoch brings shows in the next.
    for (rate, expected) in rates.into_iter().zip([1.0, 1.0, 0.5, 0.05, 0.025]) {
        assert_relative_eq!(rate, expected, max_relative = 1e-6);
    }
}

#[test]
fn trainer_refuses_a_plateau_that_it_cannot_go_by() {
    let error = run(halving(0), &[1.0, 1.0]).err();
    assert!(error.is_none(), "{error:?}");
    let unknown = ReduceOnPlateau::min("f1");
    let error = run(unknown, &[1.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no metric \"f1\" to go by, only loss, accuracy, script"
    );
    for (name, settings) in [
        (
            "factor",
            ReduceOnPlateau {
                factor: 1.0,
                ..halving(0)
            },
        ),
        (
            "factor",
            ReduceOnPlateau {
                factor: 0.0,
                ..halving(0)
            },
        ),
        (
            "factor",
            ReduceOnPlateau {
                factor: f32::NAN,
                ..halving(0)
            },
        ),
        (
            "threshold",
            ReduceOnPlateau {
                threshold: -0.1,
                ..halving(0)
            },
        ),
        (
            "threshold",
            ReduceOnPlateau {
                threshold: f32::INFINITY,
                ..halving(0)
            },
        ),
        (
            "min_factor",
            ReduceOnPlateau {
                min_factor: 1.5,
                ..halving(0)
            },
        ),
    ] {
        let error = run(settings, &[1.0]).unwrap_err();
        assert!(
            matches!(&error, TrainError::Model(ModelError::Setting { name: named, .. }) if *named == name),
            "{error:?}"
        );
    }
}
