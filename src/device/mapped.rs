//! The answer of `map_async`: natively waited for with a bound, in a browser a future.

#[cfg(target_arch = "wasm32")]
pub(super) use browser::mapping;
#[cfg(not(target_arch = "wasm32"))]
pub(super) use native::mapping;

type MapResult = Result<(), wgpu::BufferAsyncError>;

/// wgpu calls back while somebody polls: mostly we, but another thread may have taken our answer
/// with its own, and be about to hand it over; or never do, where a callback of the application
/// panics before ours.
#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

    use super::MapResult;
    use crate::device::GpuError;
    use crate::device::patience::Patience;

    pub(in crate::device) struct Answer(SyncSender<MapResult>);
    pub(in crate::device) struct Mapped(Receiver<MapResult>);

    /// What the callback gives, and what is waited for.
    pub(in crate::device) fn mapping() -> (Answer, Mapped) {
        let (send, receive) = sync_channel(1);
        (Answer(send), Mapped(receive))
    }

    impl Answer {
        pub(in crate::device) fn give(self, result: MapResult) {
            // Nobody may be waiting any more.
            let _ = self.0.try_send(result);
        }
    }

    impl Mapped {
        /// Waits until the mapping of so many bytes has been made.
        pub(in crate::device) async fn arrived(
            self,
            patience: &Patience,
            bytes: u64,
        ) -> Result<(), GpuError> {
            match self.0.recv_timeout(patience.timeout()) {
                Ok(Ok(())) => Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    Err(patience.timed_out((format_args!("reading"), bytes)))
                }
                // A callback that is dropped will not be called.
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(GpuError::DeviceLost),
            }
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::task::{Context, Poll, Waker};

    use super::MapResult;
    use crate::device::GpuError;
    use crate::device::patience::Patience;

    pub(in crate::device) struct Answer(Mapped);

    #[derive(Clone, Default)]
    pub(in crate::device) struct Mapped(Arc<Mutex<(Option<MapResult>, Option<Waker>)>>);

    /// What the callback gives, and what is waited for.
    pub(in crate::device) fn mapping() -> (Answer, Mapped) {
        let mapped = Mapped::default();
        (Answer(mapped.clone()), mapped)
    }

    impl Answer {
        pub(in crate::device) fn give(self, result: MapResult) {
            let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 = Some(result);
            if let Some(waker) = state.1.take() {
                waker.wake();
            }
        }
    }

    impl Mapped {
        /// Yields until the mapping has been made.
        pub(in crate::device) async fn arrived(
            self,
            _patience: &Patience,
            _bytes: u64,
        ) -> Result<(), GpuError> {
            self.await.map_err(|_| GpuError::DeviceLost)
        }
    }

    impl Future for Mapped {
        type Output = MapResult;

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<MapResult> {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match state.0.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    state.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::mapping;
    use crate::device::GpuError;
    use crate::device::patience::Patience;

    #[test]
    fn an_answer_that_never_comes_is_waited_for_so_long() {
        let patience = Patience::new(Duration::from_millis(20));
        let (answer, mapped) = mapping();
        let late = pollster::block_on(mapped.arrived(&patience, 12));
        assert!(
            matches!(&late, Err(GpuError::Timeout { bytes: 12, operation, waited, .. })
                if operation == "reading" && *waited == Duration::from_millis(20)),
            "{late:?}"
        );
        // Nobody is there any more.
        answer.give(Ok(()));
    }

    #[test]
    fn a_callback_that_is_dropped_ends_the_wait_at_once() {
        let patience = Patience::new(Duration::from_secs(3600));
        let (answer, mapped) = mapping();
        drop(answer);
        let lost = pollster::block_on(mapped.arrived(&patience, 12));
        assert!(matches!(lost, Err(GpuError::DeviceLost)), "{lost:?}");
        let (answer, mapped) = mapping();
        answer.give(Ok(()));
        assert!(pollster::block_on(mapped.arrived(&patience, 12)).is_ok());
    }
}
