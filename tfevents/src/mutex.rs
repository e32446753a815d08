//! Locking what stays sound wherever a panic strikes.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, poisoned or not.
#[inline]
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
