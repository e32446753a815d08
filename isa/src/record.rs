//! Figures of kernels on a device, written to and read from `benches/record/isa-DEVICE.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::executed::Executed;
use crate::program::Kind;

/// What one kernel became: figures by name, but those that are 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// CRC-32C of the WGSL, in hexadecimal digits.
    pub(crate) hash: String,
    pub(crate) numbers: BTreeMap<String, f64>,
}

/// All kernels on one device.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) device: String,
    /// Release of the compilers.
    pub(crate) mesa: String,
    pub(crate) kernels: BTreeMap<String, Figures>,
}

/// Names of figures, and the kinds whose executed instructions they count.
const KINDS: [(&str, &[Kind]); 10] = [
    ("fma", &[Kind::MultiplyAdd]),
    ("matrix", &[Kind::MatrixMultiply]),
    ("alu", &[Kind::Vector]),
    ("scalar", &[Kind::Scalar]),
    ("lds_loads", &[Kind::SharedLoad]),
    ("lds_stores", &[Kind::SharedStore]),
    ("loads", &[Kind::Load]),
    ("stores", &[Kind::Store]),
    ("branches", &[Kind::Branch, Kind::Barrier]),
    ("waits", &[Kind::Wait]),
];

impl Figures {
    /// From what the driver says of registers, and from what is executed; `units` is the share of
    /// matrix units in percent.
    pub(crate) fn new(
        hash: String,
        shared_bytes: u32,
        statistics: &BTreeMap<String, f64>,
        executed: &Executed,
        units: Option<f64>,
    ) -> Self {
        let sum = |names: &[&str]| names.iter().filter_map(|name| statistics.get(*name)).sum();
        let mut numbers = BTreeMap::from([
            ("registers", sum(&["VGPRs", "Number of GPRs", "GPRs"])),
            (
                "occupancy",
                sum(&["Subgroups per SIMD", "Max warps/SM", "Threads"]),
            ),
            (
                "spills",
                sum(&[
                    "Spilled SGPRs",
                    "Spilled VGPRs",
                    "Spills to memory",
                    "Spills",
                ]),
            ),
            (
                "scratch_bytes",
                sum(&["Scratch size", "SLM size", "Scratch"]),
            ),
            ("workgroup_bytes", f64::from(shared_bytes)),
            ("instructions", executed.total()),
            ("load_width", executed.width(Kind::Load)),
            ("lds_load_width", executed.width(Kind::SharedLoad)),
            ("loads_in_flight", executed.loads_in_flight as f64),
        ]);
        let fma = executed.count(Kind::MultiplyAdd);
        numbers.insert("share", 100.0 * fma / executed.total().max(1.0));
        numbers.insert("units", units.unwrap_or(0.0));
        let vector = fma + executed.count(Kind::Vector);
        numbers.insert("share_of_alu", 100.0 * fma / vector.max(1.0));
        for (name, kinds) in KINDS {
            numbers.insert(name, kinds.iter().map(|kind| executed.count(*kind)).sum());
        }
        let rounded =
            |(name, number): (&str, f64)| (name.to_owned(), (number * 10.0).round() / 10.0);
        let is_there = |(_, number): &(String, f64)| *number != 0.0;
        Self {
            hash,
            numbers: numbers.into_iter().map(rounded).filter(is_there).collect(),
        }
    }

    pub(crate) fn number(&self, name: &str) -> f64 {
        self.numbers.get(name).copied().unwrap_or(0.0)
    }
}

impl Record {
    /// One kernel a line, so that differences are short.
    pub(crate) fn to_json(&self) -> String {
        let mut text = "{\n".to_owned();
        let _ = writeln!(text, "\"device\": {},", Value::from(self.device.as_str()));
        let _ = writeln!(text, "\"mesa\": {},", Value::from(self.mesa.as_str()));
        text += "\"kernels\": {\n";
        let lines = self.kernels.iter().map(|(name, figures)| {
            let mut fields = Map::new();
            fields.insert("hash".to_owned(), Value::from(figures.hash.as_str()));
            for (key, number) in &figures.numbers {
                fields.insert(key.clone(), json_number(*number));
            }
            format!("{}: {}", Value::from(name.as_str()), Value::Object(fields))
        });
        text += &lines.collect::<Vec<_>>().join(",\n");
        text + "\n}\n}\n"
    }

    pub(crate) fn from_json(text: &str) -> Result<Self, String> {
        let root: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let word = |value: &Value, key: &str| {
            let word = value[key].as_str().map(str::to_owned);
            word.ok_or_else(|| format!("no {key}"))
        };
        let kernels = root["kernels"].as_object().ok_or("no kernels")?;
        let kernels = kernels.iter().map(|(name, fields)| {
            let numbers = fields.as_object().into_iter().flatten();
            let numbers = numbers.filter_map(|(key, value)| Some((key.clone(), value.as_f64()?)));
            let figures = Figures {
                hash: word(fields, "hash")?,
                numbers: numbers.collect(),
            };
            Ok((name.clone(), figures))
        });
        Ok(Self {
            device: word(&root, "device")?,
            mesa: word(&root, "mesa")?,
            kernels: kernels.collect::<Result<_, String>>()?,
        })
    }
}

/// Whole numbers without a point.
#[expect(
    clippy::cast_possible_truncation,
    reason = "figures are far below 2^53"
)]
fn json_number(number: f64) -> Value {
    if number.fract() == 0.0 {
        Value::from(number as i64)
    } else {
        Value::from(number)
    }
}

/// Figures that must not get worse, and by how much they may differ: those of which more is better,
/// then those of which less is.
const MORE_IS_BETTER: [(&str, f64); 7] = [
    ("occupancy", 0.0),
    ("share", 0.5),
    ("share_of_alu", 0.5),
    ("units", 0.5),
    ("load_width", 0.0),
    ("lds_load_width", 0.0),
    ("loads_in_flight", 0.0),
];
const LESS_IS_BETTER: [(&str, f64); 2] = [("spills", 0.0), ("scratch_bytes", 0.0)];

/// What is worse in `new` than in `recorded`, a line each, and which kernels only one of them has.
pub(crate) fn compare(recorded: &Record, new: &Record) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in recorded.kernels.keys() {
        if !new.kernels.contains_key(name) {
            complaints.push(format!("{name}: recorded, but no kernel any more"));
        }
    }
    for (name, figures) in &new.kernels {
        let Some(before) = recorded.kernels.get(name) else {
            complaints.push(format!("{name}: not recorded"));
            continue;
        };
        let more = MORE_IS_BETTER.map(|(key, slack)| (key, slack, 1.0));
        let less = LESS_IS_BETTER.map(|(key, slack)| (key, slack, -1.0));
        // A K step has its loads under way behind the multiply-adds, as many as a thread stages.
        let has_step = figures.number("fma") > 0.0;
        let more = more
            .into_iter()
            .filter(|(key, ..)| !has_step || *key != "loads_in_flight");
        for (key, slack, sign) in more.chain(less) {
            let (old, now) = (before.number(key), figures.number(key));
            let is_fine = sign * (now - old) >= -slack;
            if !is_fine {
                complaints.push(format!("{name}: {key} was {old}, is {now}"));
            }
        }
    }
    if !complaints.is_empty() && recorded.mesa != new.mesa {
        let (before, now) = (&recorded.mesa, &new.mesa);
        complaints.push(format!(
            "the record is of Mesa {before}, this is Mesa {now}"
        ));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(numbers: &[(&str, f64)]) -> Record {
        let numbers = numbers
            .iter()
            .map(|(key, number)| ((*key).to_owned(), *number));
        let figures = Figures {
            hash: "1a2b".to_owned(),
            numbers: numbers.collect(),
        };
        Record {
            device: "a \"device\"".to_owned(),
            mesa: "26.2".to_owned(),
            kernels: BTreeMap::from([("kernel".to_owned(), figures)]),
        }
    }

    #[test]
    fn records_come_back_from_json() {
        let written = record(&[("share", 71.5), ("registers", 96.0)]);
        assert_eq!(Record::from_json(&written.to_json()), Ok(written));
        assert!(Record::from_json("{}").is_err());
    }

    #[test]
    fn what_is_worse_is_told_and_what_is_better_is_not() {
        let before = record(&[("share", 71.5), ("occupancy", 12.0), ("spills", 0.0)]);
        let same = record(&[("share", 71.1), ("occupancy", 12.0), ("spills", 0.0)]);
        assert_eq!(compare(&before, &same), Vec::<String>::new());
        for (worse, word) in [
            (
                [("share", 70.9), ("occupancy", 12.0), ("spills", 0.0)],
                "share",
            ),
            (
                [("share", 99.0), ("occupancy", 10.0), ("spills", 0.0)],
                "occupancy",
            ),
            (
                [("share", 99.0), ("occupancy", 16.0), ("spills", 1.0)],
                "spills",
            ),
            (
                [("share", f64::NAN), ("occupancy", 16.0), ("spills", 0.0)],
                "share",
            ),
        ] {
            let complaints = compare(&before, &record(&worse));
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            assert!(complaints[0].contains(word));
        }
    }

    #[test]
    fn kernels_that_one_side_lacks_are_told() {
        let (some, none) = (record(&[]), Record::default());
        // And that the compilers are not the same.
        assert_eq!(compare(&some, &none).len(), 2);
        assert_eq!(compare(&none, &some).len(), 2);
    }
}
