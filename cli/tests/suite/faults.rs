//! What people and machines do wrong: each ends with one line, the right exit code, and nothing
//! overwritten.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use wgpu_linear::train::checkpoint::Checkpoint;

use crate::command::{data, end, fails_with, program, succeeds, told, without_adapter};

/// A folder with a run of iris in `run`, of two epochs on the CPU.
fn with_a_run() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeeds(&mut train(&folder.path().join("run"), &[]));
    folder
}

fn train(out: &Path, options: &[&str]) -> Command {
    let mut command = program(&["train", "--quiet", "--device", "cpu"]);
    command.arg(data("iris.csv")).arg("--out").arg(out);
    if !options.contains(&"--epochs") {
        command.args(["--epochs", "2"]);
    }
    command.args(options);
    command
}

/// A command with the folder of a run and a table.
fn with_model(name: &str, model: &Path, table: &Path) -> Command {
    let mut command = program(&[name, "--quiet", "--model"]);
    command.arg(model).arg(table);
    command
}

/// Everything in a folder and below it, with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => all.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

/// The command fails with one line, and changes nothing in the folder.
#[track_caller]
fn is_refused(command: &mut Command, code: i32, message: &str, folder: &Path) {
    let before = contents(folder);
    let said = fails_with(command, code, message);
    assert_eq!(said, "", "{command:?}");
    assert!(contents(folder) == before, "{command:?} wrote something");
}

#[test]
fn tables_that_teach_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let rows = |of: fn(usize) -> String| {
        let rows: Vec<_> = (0..40).map(of).collect();
        format!("a,b,y\n{}\n", rows.join("\n"))
    };
    for (text, said) in [
        (String::new(), "is empty"),
        ("a,b,y\n".into(), "no row"),
        ("a,b,y\n1,2,x\n".into(), "two classes are needed"),
        ("a,b,y\n1,2,x\n3,4,z\n".into(), "--test-fraction"),
        (rows(|i| format!("{i},2,x")), "two classes are needed"),
        (rows(|i| format!("nan,{i},{}", i % 2)), "--impute"),
        (rows(|i| format!("inf,{i},{}", i % 2)), "line 2, column 1"),
    ] {
        fs::write(&table, &text).unwrap();
        let mut command = program(&["train", "--device", "cpu"]);
        command
            .arg(&table)
            .arg("--out")
            .arg(folder.path().join("o"));
        is_refused(&mut command, 2, said, folder.path());
    }
}

#[test]
fn options_out_of_range_are_called_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    for (options, said) in [
        (&["--learning-rate", "-1"][..], "--learning-rate"),
        (&["--weight-decay", "nan"], "--weight-decay"),
        (&["--label-smoothing", "2"], "--label-smoothing"),
        (&["--accumulation", "0"], "--accumulation"),
        (&["--clip-norm", "0"], "--clip-norm"),
        (&["--activation", "sine:nan"], "--activation"),
        (&["--hidden", "99999999999"], "--hidden"),
        (&["--class-weights", "0,0,0"], "--class-weights"),
        (&["--trials", "0"], "--trials must be at least 1"),
        (&["--trials", "2", "--initial", "x.onnx"], "--initial"),
        (&["--arrays", "x"], "--arrays"),
        (&["--separator", ";;"], "--separator"),
    ] {
        is_refused(&mut train(&out, options), 2, said, folder.path());
    }
    let mut values = program(&["train", "--label-smoothing", "0.1", "--out"]);
    values.arg(&out).arg(data("diabetes.csv"));
    is_refused(
        &mut values,
        2,
        "--label-smoothing is for classes",
        folder.path(),
    );
}

#[test]
fn a_batch_of_more_rows_than_there_are_takes_them_all() {
    let folder = tempfile::tempdir().unwrap();
    let most = usize::MAX.to_string();
    succeeds(&mut train(&folder.path().join("run"), &["--batch", &most]));
}

#[test]
fn a_momentum_without_use_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    for (optimizer, is_noted) in [("adam", true), ("sgd", false)] {
        let mut command = program(&["train", "--device", "cpu", "--epochs", "1"]);
        command.args(["--momentum", "0.9", "--optimizer", optimizer]);
        command.arg("--out").arg(folder.path().join(optimizer));
        let output = end(command.arg(data("iris.csv")));
        let notes = String::from_utf8_lossy(&output.stderr);
        assert_eq!(notes.contains("--momentum"), is_noted, "{notes}");
    }
}

#[test]
fn mistakes_in_a_file_of_settings_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("a.toml");
    for (text, said) in [
        ("[training]\nepoch = 3\n", "line 2: unknown field `epoch`"),
        ("[training]\nepochs = \"3\"\n", "line 2: invalid type"),
        ("[trainin]\n", "line 1: unknown field `trainin`"),
        ("[training\n", "line 1: "),
        ("[run]\ndevice = \"tpu\"\n", "`auto`, `gpu`, `cpu`"),
        ("[training]\nlearning-rate = nan\n", "--learning-rate"),
        (
            "[split]\ntest-fraction = 0.2\ntest-every = 3\n",
            "test-every",
        ),
    ] {
        fs::write(&settings, text).unwrap();
        let mut command = train(&folder.path().join("run"), &["--config"]);
        is_refused(command.arg(&settings), 2, said, folder.path());
    }
    let mut command = train(&folder.path().join("run"), &["--config"]);
    is_refused(
        command.arg(folder.path()),
        2,
        "configuration",
        folder.path(),
    );
}

/// Files that are no models of this program, or no longer.
fn odd_models(run: &Path, folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let model = run.join("model.safetensors");
    let bytes = fs::read(&model).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let edited = |name: &str, key: &str, of: &dyn Fn(&str) -> String| {
        let mut checkpoint = Checkpoint::load(&model).unwrap();
        let value = of(checkpoint.extra.get(key).map_or("", String::as_str));
        checkpoint.extra.insert(key.into(), value);
        let path = folder.join(name);
        checkpoint.save(&path).unwrap();
        path
    };
    let foreign = safetensors::serialize::<&str, safetensors::tensor::TensorView<'_>, _>([], None);
    let of = |from: &'static str, to: &'static str| move |text: &str| text.replacen(from, to, 1);
    let preprocessing = "preprocessing";
    vec![
        (write("short", &bytes[..bytes.len() - 100]), "damaged"),
        (write("shorter", &bytes[..50]), "damaged"),
        (write("empty", b""), "no safetensors file"),
        (write("foreign", &foreign.unwrap()), "another program"),
        (
            edited(
                "later",
                preprocessing,
                &of("\"version\":1", "\"version\":9"),
            ),
            "later version",
        ),
        (
            edited("no_json", preprocessing, &|_| "{".into()),
            "later version",
        ),
        (
            edited("key", "settings", &|_| "[training]\nnew = 1\n".into()),
            "later version",
        ),
        (
            edited(
                "other",
                preprocessing,
                &of("\"virginica\"", "\"virginica\",\"x\""),
            ),
            "does not fit",
        ),
    ]
}

#[test]
fn models_that_cannot_be_used_are_named_with_the_reason() {
    let folder = with_a_run();
    let run = folder.path().join("run");
    let table = data("iris.csv");
    for (model, said) in odd_models(&run, folder.path()) {
        let name = model.file_name().unwrap().to_str().unwrap();
        for command in ["evaluate", "predict"] {
            let mut command = with_model(command, &model, &table);
            is_refused(&mut command, 2, said, folder.path());
            fails_with(&mut command, 2, name);
        }
        let onnx = folder.path().join("x.onnx");
        let mut command = with_model("export", &model, &onnx);
        is_refused(&mut command, 2, said, folder.path());
    }
    for (model, said) in [("nothing", "No such file"), (".", "model.safetensors")] {
        let model = folder.path().join(model);
        let mut command = with_model("predict", &model, &table);
        is_refused(&mut command, 2, said, folder.path());
    }
}

#[test]
fn what_is_read_is_not_written_over() {
    let folder = with_a_run();
    let run = folder.path().join("run");
    let table = folder.path().join("iris.csv");
    fs::copy(data("iris.csv"), &table).unwrap();
    let model = run.join("model.safetensors");
    for path in [&table, &model] {
        let mut command = with_model("predict", &run, &table);
        let command = command.arg("--output").arg(path);
        is_refused(command, 2, "another file", folder.path());
    }
    let mut command = with_model("export", &run, &model);
    is_refused(&mut command, 2, "another file", folder.path());
}

#[test]
fn places_that_cannot_be_written_are_named_with_a_remedy() {
    let folder = with_a_run();
    let run = folder.path().join("run");
    let table = data("iris.csv");
    let file = run.join("config.toml");
    for (to, said) in [
        (folder.path().join("none/x.onnx"), "make it first"),
        (run.clone(), "it is a folder"),
        (file.join("x.onnx"), "make it first"),
    ] {
        let mut command = with_model("predict", &run, &table);
        is_refused(command.arg("--output").arg(&to), 1, said, folder.path());
        let mut command = with_model("export", &run, &to);
        let command = command.args(["--format", "onnx"]);
        is_refused(command, 1, said, folder.path());
    }
    is_refused(
        &mut train(&file.join("x"), &[]),
        1,
        "cannot write",
        folder.path(),
    );
    is_refused(&mut train(&file, &[]), 2, "--resume it", folder.path());
}

#[test]
fn options_of_the_other_format_are_refused() {
    let folder = with_a_run();
    let run = folder.path().join("run");
    for (name, option) in [
        ("x.onnx", &["--training"][..]),
        ("x.onnx", &["--names", "a,b"]),
        ("x.safetensors", &["--logits"]),
    ] {
        let mut command = with_model("export", &run, &folder.path().join(name));
        is_refused(command.args(option), 2, option[0], folder.path());
    }
}

#[test]
fn a_run_goes_on_as_it_began() {
    let folder = with_a_run();
    let run = folder.path().join("run");
    let resume = |options: &[&str]| {
        let mut command = program(&["train", "--quiet", "--resume"]);
        command.arg(&run).args(options);
        command
    };
    let diabetes = data("diabetes.csv");
    for (options, said) in [
        (&["--hidden", "64"][..], "began with"),
        (&["--batch", "7"], "began with"),
        (&["--seed", "7"], "began with"),
        (&["--optimizer", "sgd"], "began with"),
        (&["--early-stopping", "3"], "began with"),
        (&["--split-seed", "1"], "began with"),
        (&["--initial", "x.onnx"], "began with"),
        (&["--epochs", "1"], "--epochs 1"),
        (&[diabetes.to_str().unwrap()], "has changed"),
    ] {
        is_refused(&mut resume(options), 2, said, folder.path());
    }
    let mut of_a_file = program(&["train", "--resume"]);
    of_a_file.arg(run.join("model.safetensors"));
    is_refused(&mut of_a_file, 2, "give the folder", folder.path());
    // All is done: the same again, unless more is asked for.
    let before = fs::read(run.join("predictions.csv")).unwrap();
    succeeds(&mut resume(&[]));
    assert_eq!(fs::read(run.join("predictions.csv")).unwrap(), before);
    let said = succeeds(&mut resume(&["--epochs", "5"]));
    assert!(said.contains("Trained 30 steps"), "{said}");
    let settings = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(settings.contains("epochs = 5"), "{settings}");
}

#[test]
fn a_run_does_not_go_on_with_another_test_row() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    let text = fs::read_to_string(data("iris.csv")).unwrap();
    fs::write(&table, &text).unwrap();
    let run = folder.path().join("run");
    let mut command = program(&["train", "--quiet", "--device", "cpu", "--epochs", "2"]);
    command.args(["--test-every", "5"]).arg(&table);
    succeeds(command.arg("--out").arg(&run));
    // The first row is for the test: means and deviations stay.
    fs::write(&table, text.replacen("5.1,", "5.2,", 1)).unwrap();
    let mut resume = program(&["train", "--resume"]);
    is_refused(resume.arg(&run), 2, "has changed", folder.path());
}

#[test]
fn first_weights_come_from_models_that_fit() {
    let folder = with_a_run();
    let [run, onnx, other] = ["run", "x.onnx", "other"].map(|name| folder.path().join(name));
    let model = run.join("model.safetensors");
    let pytorch = folder.path().join("x.safetensors");
    succeeds(&mut with_model("export", &run, &onnx));
    succeeds(&mut with_model("export", &run, &pytorch));
    let predictions = |run: &Path| fs::read_to_string(run.join("predictions.csv")).unwrap();
    for from in [&model, &onnx, &pytorch] {
        let from = from.to_str().unwrap();
        let options = ["--initial", from, "--hidden", "64"];
        is_refused(&mut train(&other, &options), 2, "4-128-3", folder.path());
        succeeds(&mut train(&other, &["--initial", from, "--epochs", "0"]));
        assert_eq!(predictions(&other), predictions(&run), "{from}");
        fs::remove_dir_all(&other).unwrap();
    }
    // Layers by names of their own, and other functions between them.
    let named = folder.path().join("named.safetensors");
    let mut export = with_model("export", &run, &named);
    succeeds(export.args(["--names", "body,head"]));
    let from = named.to_str().unwrap();
    let options = [
        "--initial",
        from,
        "--initial-names",
        "body,head",
        "--epochs",
        "0",
    ];
    succeeds(&mut train(&other, &options));
    assert_eq!(predictions(&other), predictions(&run));
    fs::remove_dir_all(&other).unwrap();
    let options = ["--initial", from, "--initial-names", "body,tail"];
    is_refused(
        &mut train(&other, &options),
        2,
        "tail.weight",
        folder.path(),
    );
    let options = ["--initial", onnx.to_str().unwrap(), "--activation", "tanh"];
    is_refused(
        &mut train(&other, &options),
        2,
        "--activation",
        folder.path(),
    );
    let nothing = ["--initial", "nothing.onnx"];
    is_refused(
        &mut train(&other, &nothing),
        2,
        "nothing.onnx",
        folder.path(),
    );
}

#[test]
fn of_runs_that_want_one_folder_the_first_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let start = || {
        let mut command = train(&out, &[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let runs: Vec<_> = (0..4).map(|_| start()).collect();
    let mut done = 0;
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => done += 1,
            code => assert!(code == Some(2) && said.contains("--resume it"), "{said}"),
        }
    }
    assert_eq!(done, 1);
}

#[cfg(unix)]
#[test]
fn whoever_reads_may_stop() {
    let folder = with_a_run();
    let table = folder.path().join("long.csv");
    let text = fs::read_to_string(data("iris.csv")).unwrap();
    let (heading, rows) = text.split_once('\n').unwrap();
    fs::write(&table, format!("{heading}\n{}", rows.repeat(100))).unwrap();
    let mut command = with_model("predict", &folder.path().join("run"), &table);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&command, &output));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_the_standard_output_is_said() {
    let folder = with_a_run();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let table = data("iris.csv");
    for name in ["predict", "evaluate"] {
        let mut command = with_model(name, &folder.path().join("run"), &table);
        let output = command.stdout(full()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("standard output"), "{said}");
    }
}

#[test]
fn without_an_adapter_a_gpu_is_missed_before_anything_is_written() {
    let folder = with_a_run();
    let run = folder.path().join("run");
    let mut command = without_adapter(&["train", "--device", "gpu", "--out"]);
    let command = command.arg(folder.path().join("new")).arg(data("iris.csv"));
    is_refused(command, 1, "no GPU adapter", folder.path());
    for name in ["predict", "evaluate"] {
        let mut command = without_adapter(&[name, "--device", "gpu", "--model"]);
        let command = command.arg(&run).arg(data("iris.csv"));
        is_refused(command, 1, "no GPU adapter", folder.path());
    }
    let mut command = without_adapter(&["predict", "--quiet", "--model"]);
    let output = end(command.arg(&run).arg(data("iris.csv")));
    assert!(output.status.success(), "{}", told(&command, &output));
}
