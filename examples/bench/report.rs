//! The table on standard output, the record in JSON, and what becomes of errors.

use std::any::Any;
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use wgpu_linear::check::Peaks;
use wgpu_linear::{GpuError, PrepareError};

use crate::ceilings::measure_peaks;
use crate::host::processor_and_vectors;
use crate::kernels::Checked;
use crate::machine::processor;
use crate::problem::{Operation, Outcome, Shape};
use crate::timing::{Samples, Session, quantile};
use crate::training::step_flops;
use crate::{Arguments, What};

/// Titles and widths.
pub(crate) type Columns = [(&'static str, usize)];
pub(crate) const KERNEL_COLUMNS: [(&str, usize); 11] = [
    ("case", 9),
    ("batch×in×out", 15),
    ("contender", 11),
    ("ms each", 10),
    ("ms", 10),
    ("GPU ms", 10),
    ("GFLOP/s", 9),
    ("GB/s", 8),
    ("peak", 6),
    ("first ms", 9),
    ("err/bound", 9),
];
pub(crate) const TRAINING_COLUMNS: [(&str, usize); 7] = [
    ("case", 10),
    ("network@batch", 20),
    ("contender", 11),
    ("ms/step", 10),
    ("GFLOP/s", 9),
    ("first ms", 9),
    ("loss err", 9),
];
pub(crate) const START_COLUMNS: [(&str, usize); 8] = [
    ("case", 11),
    ("of", 15),
    ("caches", 9),
    ("ms", 9),
    ("open", 9),
    ("prepare", 9),
    ("run", 9),
    ("verify", 9),
];
pub(crate) const EVENT_COLUMNS: [(&str, usize); 9] = [
    ("case", 19),
    ("threads", 7),
    ("contender", 11),
    ("million/s", 9),
    ("p50 ns", 7),
    ("p99 ns", 7),
    ("p99.9 ns", 8),
    ("max µs", 8),
    ("bytes", 10),
];

pub(crate) const PRECISION_COLUMNS: [(&str, usize); 6] = [
    ("series", 16),
    ("numbers", 10),
    ("contender", 11),
    ("terms", 6),
    ("error", 9),
    ("bound", 9),
];
pub(crate) const MEMORY_COLUMNS: [(&str, usize); 4] = [
    ("network@batch", 24),
    ("precision", 9),
    ("contender", 11),
    ("bytes", 11),
];

/// Prints the table, writes the record, counts failures.
pub(crate) struct Report {
    pub(crate) json: Option<File>,
    /// Fields of every line, and those of the cases at hand.
    pub(crate) machine: Map<String, Value>,
    pub(crate) case: Map<String, Value>,
    pub(crate) peaks: Option<Peaks>,
    pub(crate) failed: usize,
}

impl Report {
    pub(crate) fn new(arguments: &Arguments, session: Option<&Session>) -> Outcome<Self> {
        let create = |path: &PathBuf| {
            File::create(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let (description, machine) = match session {
            Some(session) => {
                let info = session.gpu.device().adapter_info();
                let backend = format!("{:?}", info.backend).to_lowercase();
                let driver = format!("{} {}", info.driver, info.driver_info)
                    .trim()
                    .to_owned();
                let mut machine =
                    json!({"device": info.name, "backend": backend, "driver": driver});
                let mut description = session.gpu.description();
                if session.gpu.is_software() {
                    let host = processor_and_vectors();
                    description = format!("{description}\nhost: {host}");
                    machine["host"] = json!(host);
                }
                (description, machine)
            }
            None if arguments.what == What::Events => {
                let device = processor();
                (device.clone(), json!({"device": device, "backend": "host"}))
            }
            None => {
                let threads =
                    std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                let device = format!("cpu, {threads} threads");
                (
                    "CPU twin (ndarray, f32)".to_owned(),
                    json!({"device": device, "backend": "host"}),
                )
            }
        };
        println!("device: {description}");
        let mut report = Self {
            json: arguments.json.as_ref().map(create).transpose()?,
            machine: Map::new(),
            case: Map::new(),
            peaks: None,
            failed: 0,
        };
        extend(&mut report.machine, machine);
        extend(
            &mut report.machine,
            json!({"crate_version": env!("CARGO_PKG_VERSION"), "reruns": arguments.rerun}),
        );
        Ok(report)
    }

    /// Fields of the cases to come.
    pub(crate) fn common(&mut self, fields: Value) {
        self.case.clear();
        self.add_common(fields);
    }

    pub(crate) fn add_common(&mut self, fields: Value) {
        extend(&mut self.case, fields);
    }

    /// One line of the record, on disk at once, so that what comes later cannot take it away.
    pub(crate) fn line(&mut self, parts: &[Value]) -> Outcome<()> {
        let mut fields = self.machine.clone();
        fields.extend(self.case.clone());
        parts
            .iter()
            .for_each(|part| extend(&mut fields, part.clone()));
        if let Some(file) = &mut self.json {
            file.write_all(format!("{}\n", Value::from(fields)).as_bytes())?;
        }
        Ok(())
    }

    /// The ceilings of the adapter. Without them cases can be measured all the same.
    pub(crate) fn measure_peaks(
        &mut self,
        session: Option<&Session>,
        min_time: f64,
    ) -> Outcome<()> {
        let Some(session) = session else {
            return Ok(());
        };
        match guarded(|| measure_peaks(session, min_time, self)) {
            Ok(peaks) => {
                println!(
                    "peak: {:.1} GFLOP/s in multiply-adds, {:.1} GB/s in a copy",
                    peaks.flops * 1e-9,
                    peaks.bytes * 1e-9
                );
                self.peaks = Some(peaks);
                Ok(())
            }
            Err(error) => self.failure("peak", &*error),
        }
    }

    pub(crate) fn peak(
        &mut self,
        case: &str,
        kernel: &str,
        samples: &Samples,
        [flops, bytes]: [f64; 2],
    ) -> Outcome<()> {
        let rates = rates(flops, bytes, samples.fastest(), None);
        self.line(&[
            json!({"case": case, "kernel": kernel, "contender": "ceiling", "sync": "end"}),
            samples.fields(),
            rates,
        ])
    }

    pub(crate) fn kernel(
        &mut self,
        shape: Shape,
        checked: &Checked<'_>,
        samples: [&Samples; 2],
        db_cost: [Option<Value>; 2],
    ) -> Outcome<()> {
        let (name, operations) = checked.case;
        let (flops, bytes) = (
            Operation::flops(shape, operations),
            Operation::bytes(shape, operations),
        );
        for ((sync, samples), db_cost) in ["each", "end"].into_iter().zip(samples).zip(db_cost) {
            let known = json!({
                "case": name,
                "kernel": checked.work.label(),
                "sync": sync,
                "first_ms": rounded(1e3 * checked.first),
                "max_err_over_bound": rounded(checked.error),
                "db_cost": db_cost,
            });
            self.line(&[
                known,
                samples.fields(),
                rates(flops, bytes, samples.median(), self.peaks),
            ])?;
        }
        let [each, end] = samples;
        let peak = self
            .peaks
            .map(|peaks| flops / end.median() / peaks.of(flops, bytes));
        self.row(
            &KERNEL_COLUMNS,
            &[
                name.to_owned(),
                shape.map(|size| size.to_string()).join("×"),
                self.contender(),
                milliseconds(each.median()),
                milliseconds(end.median()),
                milliseconds(quantile(&end.device, 0.5)),
                format!("{:.1}", flops / end.median() * 1e-9),
                format!("{:.1}", bytes / end.median() * 1e-9),
                peak.map_or("-".to_owned(), |peak| format!("{:.0} %", 100.0 * peak)),
                milliseconds(checked.first),
                format!("{:.4}", checked.error),
            ],
        )
    }

    pub(crate) fn training(
        &mut self,
        sizes: &[usize],
        batch: usize,
        read_loss: bool,
        samples: &Samples,
        first: f64,
        [loss, update]: [f64; 2],
    ) -> Outcome<()> {
        let (name, sync) = if read_loss {
            ("train_loss", "each")
        } else {
            ("train", "end")
        };
        let flops = step_flops(sizes, batch);
        let known = json!({
            "case": name,
            "sync": sync,
            "first_ms": rounded(1e3 * first),
            "loss_rel_err": rounded(loss),
            "update_rel_err": rounded(update),
        });
        self.line(&[
            known,
            samples.fields(),
            rates(flops, f64::NAN, samples.median(), self.peaks),
        ])?;
        let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
        self.row(
            &TRAINING_COLUMNS,
            &[
                name.to_owned(),
                format!("{}@{batch}", sizes.join("-")),
                self.contender(),
                milliseconds(samples.median()),
                format!("{:.1}", flops / samples.median() * 1e-9),
                milliseconds(first),
                format!("{loss:.0e}"),
            ],
        )
    }

    pub(crate) fn events(&mut self, case: &str, cells: [String; 6], fields: Value) -> Outcome<()> {
        self.line(&[json!({"case": case}), fields])?;
        let threads = self.case.get("threads").map(Value::to_string);
        let words = [
            case.to_owned(),
            threads.unwrap_or_default(),
            self.contender(),
        ];
        self.row(&EVENT_COLUMNS, &[words.as_slice(), &cells].concat())
    }

    /// The largest error of sums of `k` terms and its bound, as shares of Σ|x||w|.
    pub(crate) fn precision(
        &mut self,
        series: &str,
        numbers: &str,
        k: usize,
        errors: [f64; 2],
        fields: Value,
    ) -> Outcome<()> {
        self.line(&[fields])?;
        let [error, bound] = errors.map(|error| format!("{error:.2e}"));
        let words = [series.to_owned(), numbers.to_owned(), self.contender()];
        let cells = [words.as_slice(), &[k.to_string(), error, bound]].concat();
        self.row(&PRECISION_COLUMNS, &cells)
    }

    pub(crate) fn memory(
        &mut self,
        mlp: &str,
        batch: usize,
        precision: &str,
        bytes: u64,
    ) -> Outcome<()> {
        self.line(&[json!({"case": "memory", "allocated_bytes": bytes})])?;
        let network = format!("{mlp}@{batch}");
        let cells = [
            network,
            precision.to_owned(),
            self.contender(),
            bytes.to_string(),
        ];
        self.row(&MEMORY_COLUMNS, &cells)
    }

    /// A case without a time. What exceeds the limits of a device is no failure of the crate.
    pub(crate) fn failure(&mut self, case: &str, error: &(dyn Error + 'static)) -> Outcome<()> {
        let out_of_limits = matches!(error.downcast_ref(), Some(PrepareError::Limit { .. }))
            || matches!(
                error.downcast_ref(),
                Some(GpuError::BufferTooLarge { .. } | GpuError::OutOfMemory { .. })
            );
        self.failed += usize::from(!out_of_limits);
        let reason = explain(error);
        let sizes = self.sizes(&[
            "series",
            "numbers",
            "precision",
            "mlp",
            "m",
            "k",
            "n",
            "scalars",
        ]);
        let verdict = if out_of_limits { "left out" } else { "FAILED" };
        println!("{case}, {sizes}, {}: {verdict}: {reason}", self.contender());
        self.line(&[json!({"case": case, "error": reason})])
    }

    /// Those of these fields that the cases at hand have.
    pub(crate) fn sizes(&self, names: &[&str]) -> String {
        let sizes = names.iter().filter_map(|name| self.case.get(*name));
        let sizes: Vec<_> = sizes.map(Value::to_string).collect();
        sizes.join(" × ")
    }

    pub(crate) fn contender(&self) -> String {
        self.case
            .get("contender")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn heading(&self, columns: &Columns) -> Outcome<()> {
        self.row(
            columns,
            &columns
                .iter()
                .map(|(title, _)| (*title).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    /// The first three columns are words, the others numbers.
    pub(crate) fn row(&self, columns: &Columns, cells: &[String]) -> Outcome<()> {
        let cell = |(i, ((_, width), text)): (usize, (&(&str, usize), &String))| {
            if i < 3 {
                format!("{text:<width$}")
            } else {
                format!("{text:>width$}")
            }
        };
        let cells: Vec<_> = columns.iter().zip(cells).enumerate().map(cell).collect();
        writeln!(std::io::stdout(), "{}", cells.join(" ").trim_end())?;
        Ok(())
    }
}

/// What is not known is NaN, and null in the record.
pub(crate) fn rates(flops: f64, bytes: f64, seconds: f64, peaks: Option<Peaks>) -> Value {
    let peak = peaks.map(|peaks| peaks.of(flops, bytes));
    json!({
        "gflops": rounded(flops / seconds * 1e-9),
        "bytes": bytes,
        "gb_per_s": rounded(bytes / seconds * 1e-9),
        "flop_per_byte": rounded(flops / bytes),
        "fraction_of_peak": peak.map(|peak| rounded(flops / seconds / peak)),
    })
}

pub(crate) fn extend(map: &mut Map<String, Value>, fields: Value) {
    if let Value::Object(fields) = fields {
        map.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
}

/// Six significant digits, so that records stay readable.
pub(crate) fn rounded(value: f64) -> Value {
    format!("{value:.5e}")
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}

pub(crate) fn milliseconds(seconds: f64) -> String {
    let ms = 1e3 * seconds;
    if ms.is_nan() {
        "-".to_owned()
    } else {
        format!("{ms:.*}", if ms < 10.0 { 4 } else { 1 })
    }
}

/// Turns a panic into an error, so that one case cannot take the others with it.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()).into())
    })
}

/// An error with its causes, in one line.
pub(crate) fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
