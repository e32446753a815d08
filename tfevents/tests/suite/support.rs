//! What the tests share.

/// The event files of a run, in the order of their names.
pub(crate) fn event_files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains("tfevents"))
        .collect();
    files.sort();
    files
}

/// Its points that are numbers, in order: tag, step, value.
pub(crate) fn scalars(directory: &std::path::Path) -> Vec<(String, i64, f32)> {
    let mut reader = tfevents::Reader::open(directory).unwrap();
    let mut scalars = Vec::new();
    while let Some(point) = reader.next_point().unwrap() {
        if let tfevents::Value::Scalar(value) = point.value {
            scalars.push((point.tag, point.step, value));
        }
    }
    assert!(reader.tail().is_none(), "a torn record");
    scalars
}

/// What the crate logs.
pub(crate) mod logged {
    use std::cell::RefCell;

    use log::{Level, Log, Metadata, Record};

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    struct Logger;

    impl Log for Logger {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            if record.level() <= Level::Warn {
                LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
            }
        }

        fn flush(&self) {}
    }

    /// What this thread logs during the call.
    pub(crate) fn during(call: impl FnOnce()) -> Vec<String> {
        // Another test may have done so before.
        let _ = log::set_logger(&Logger);
        log::set_max_level(log::LevelFilter::Warn);
        LINES.take();
        call();
        LINES.take()
    }
}
