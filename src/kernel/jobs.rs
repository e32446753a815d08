//! Preparing several things at once: what takes long in it is the driver, compiling.

use wgpu::WasmNotSend;

/// A piece of preparation that another thread may do.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) type Job<'a, T> = Box<dyn FnOnce() -> T + Send + 'a>;

/// The browser's objects stay on their thread.
#[cfg(target_arch = "wasm32")]
pub(crate) type Job<'a, T> = Box<dyn FnOnce() -> T + 'a>;

/// Does the jobs on as many threads as the machine has cores; what they return, in their order.
///
/// Errors of the device go to the thread that made them, so each job hears of its own. A panic goes
/// on here, after all other jobs.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn side_by_side<T: WasmNotSend>(jobs: Vec<Job<'_, T>>) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    on_threads(jobs, cores)
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn side_by_side<T: WasmNotSend>(jobs: Vec<Job<'_, T>>) -> Vec<T> {
    jobs.into_iter().map(|job| job()).collect()
}

/// This thread does jobs too, so there is always one that does, however few can be started.
#[cfg(not(target_arch = "wasm32"))]
fn on_threads<T: Send>(jobs: Vec<Job<'_, T>>, threads: usize) -> Vec<T> {
    use std::sync::{Mutex, PoisonError};
    use std::thread;
    let helpers = threads.min(jobs.len()).saturating_sub(1);
    let waiting = Mutex::new(jobs.into_iter().enumerate());
    let work = || {
        let next = || {
            waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next()
        };
        std::iter::from_fn(|| next().map(|(i, job)| (i, job()))).collect::<Vec<_>>()
    };
    let mut done = thread::scope(|scope| {
        let start = |_| {
            let thread = thread::Builder::new().name("wgpu_linear::prepare".into());
            thread.spawn_scoped(scope, work).ok()
        };
        let helpers: Vec<_> = (0..helpers).filter_map(start).collect();
        let mut done = work();
        for helper in helpers {
            match helper.join() {
                Ok(theirs) => done.extend(theirs),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn jobs_meet_each_other_and_return_in_order() {
        let (send, receive) = mpsc::channel();
        let waits = move || receive.recv_timeout(Duration::from_secs(60)).ok();
        let sends = move || send.send(7).ok().map(|()| 8);
        let jobs: Vec<Job<'_, Option<i32>>> = vec![Box::new(waits), Box::new(sends)];
        // One after the other, the first would wait for what the second has not done.
        assert_eq!(on_threads(jobs, 2), [Some(7), Some(8)]);
        let many: Vec<Job<'_, usize>> = (0..100_usize)
            .map(|i| Box::new(move || i) as Job<'_, usize>)
            .collect();
        assert_eq!(on_threads(many, 3), (0..100).collect::<Vec<_>>());
        assert!(side_by_side::<i32>(Vec::new()).is_empty());
    }

    #[test]
    fn a_panic_on_another_thread_goes_on() {
        let here = std::thread::current().id();
        let (send, receive) = mpsc::channel();
        let panics_elsewhere = move || assert_eq!(std::thread::current().id(), here, "as told");
        // Each thread takes one of them.
        let waits = move || {
            let _ = receive.recv_timeout(Duration::from_secs(60));
            panics_elsewhere();
        };
        let sends = move || {
            let _ = send.send(());
            panics_elsewhere();
        };
        let jobs: Vec<Job<'_, ()>> = vec![Box::new(waits), Box::new(sends)];
        let run = std::panic::AssertUnwindSafe(|| on_threads(jobs, 2));
        assert!(std::panic::catch_unwind(run).is_err());
    }
}
