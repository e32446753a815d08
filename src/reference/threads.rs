//! The threads of the twin: work is cut in halves, and the halves go to as many threads as there
//! are processors.

use std::sync::OnceLock;
use std::thread::available_parallelism;

use thread_tree::{ThreadTree, ThreadTreeCtx};

/// More threads than this gain little on matrices of the sizes that a CPU trains.
const MOST_LEVELS: usize = 3;

/// Work that can be cut in two.
pub(super) trait Task: Send + Sized {
    fn halves(self) -> (Self, Self);
    fn run(self);
}

/// Runs a task, cut `levels` times over.
pub(super) fn run(task: impl Task, levels: usize) {
    if levels == 0 {
        task.run();
    } else {
        descend(tree().top(), task, levels);
    }
}

/// How often to cut `work` in halves, so that no part is smaller than `least` and no processor gets
/// two.
pub(super) fn levels(work: usize, least: usize) -> usize {
    // Asking for the tree starts its threads, which small networks never need.
    match (work / least).checked_ilog2() {
        None | Some(0) => 0,
        Some(wanted) => most_levels().min(wanted as usize),
    }
}

fn descend(threads: ThreadTreeCtx<'_>, task: impl Task, levels: usize) {
    if levels == 0 {
        return task.run();
    }
    let (left, right) = task.halves();
    threads.join(
        |threads| descend(threads, left, levels - 1),
        |threads| descend(threads, right, levels - 1),
    );
}

/// Threads that wait for work, started once: starting them in every step would take longer than a
/// small product.
fn tree() -> &'static ThreadTree {
    static TREE: OnceLock<Box<ThreadTree>> = OnceLock::new();
    TREE.get_or_init(|| ThreadTree::new_with_level(most_levels()))
}

fn most_levels() -> usize {
    static LEVELS: OnceLock<usize> = OnceLock::new();
    // Where nothing is known about the processors, as in a browser, there are no threads either.
    *LEVELS.get_or_init(|| {
        let processors = available_parallelism().map_or(1, |count| count.get());
        (processors.ilog2() as usize).min(MOST_LEVELS)
    })
}
