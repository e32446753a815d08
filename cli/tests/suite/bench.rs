//! `bench`, on next to nothing.

use crate::command::{fails_with, gives_json, program, succeeds, without_adapter};

const SMALL: [&str; 9] = [
    "bench",
    "--layers",
    "8-16-4",
    "--batch",
    "8",
    "--shapes",
    "16x8x4",
    "--seconds",
    "0.01",
];

#[test]
fn layers_and_training_are_measured() {
    let report = gives_json(program(&SMALL).arg("--json"));
    let operations = ["forward", "input_grad", "weight_grad", "bias_grad"];
    for (row, operation) in report["layers"].as_array().unwrap().iter().zip(operations) {
        assert_eq!(row["operation"], operation);
        assert!(row["milliseconds"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["share_of_peak"].as_f64().unwrap() > 0.0, "{row}");
    }
    assert_eq!(report["layers"].as_array().unwrap().len(), 4);
    let devices: Vec<_> = report["training"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&devices[0]["device"], &devices[1]["device"]),
        (&"gpu".into(), &"cpu".into())
    );
    assert!(
        devices
            .iter()
            .all(|row| row["examples_per_s"].as_f64().unwrap() > 0.0)
    );
}

#[test]
fn the_table_fits_a_terminal() {
    let text = succeeds(&mut program(&SMALL));
    assert!(text.contains("weight_grad 16×8×4"), "{text}");
    assert!(text.contains("training 8-16-4 with batches of 8"), "{text}");
    let too_long = text.lines().find(|line| line.chars().count() > 80);
    assert_eq!(too_long, None, "{text}");
}

#[test]
fn without_an_adapter_the_twin_is_measured() {
    let report = gives_json(without_adapter(&SMALL).arg("--json"));
    assert!(report["adapter"].is_null());
    assert_eq!(report["training"].as_array().unwrap().len(), 1);
}

#[test]
fn wrong_arguments_are_refused() {
    for (arguments, message) in [
        (["--layers", "784"], "two sizes or more"),
        (["--layers", "784-0-10"], "`0` is no size"),
        (["--shapes", "64x64"], "such as 128x784x128"),
        (["--seconds", "nan"], "0 to 600 seconds"),
        (["--batch", "0"], "0 is not in 1..="),
        (
            ["--adapter", "no such adapter"],
            "the name \"no such adapter\"",
        ),
    ] {
        let mut bench = program(&["bench"]);
        fails_with(bench.args(arguments), 2, message);
    }
}
