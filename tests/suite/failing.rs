//! A model to which something happens at one of its calls, and a count of panics.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Mutex, OnceLock, PoisonError};

use ndarray::{Array2, ArrayView2};
use wgpu_linear::model::{
    LayerHistograms, LayerParameters, MeanLoss, Model, ModelError, ResidentModel, Targets,
    TrainingState,
};

use crate::delegate::delegate;

/// What happens at a call: an error that it has, or something to its device.
pub(crate) type Strike = Box<dyn FnMut() -> Result<(), ModelError>>;

pub(crate) struct Fault {
    /// Counted are calls of this name; all, where there is none.
    pub(crate) of: Option<&'static str>,
    /// Which of them, from 0.
    pub(crate) at: usize,
    /// When the call is done, and not before it.
    pub(crate) after: bool,
    /// At all later calls too.
    pub(crate) lasts: bool,
    pub(crate) strike: Strike,
}

/// The names of calls so far.
pub(crate) type Calls = Rc<RefCell<Vec<&'static str>>>;

pub(crate) struct Failing {
    inner: Box<dyn Model>,
    calls: Calls,
    fault: RefCell<Option<Fault>>,
}

impl Failing {
    pub(crate) fn new(inner: Box<dyn Model>, fault: Option<Fault>) -> Self {
        Self {
            inner,
            calls: Calls::default(),
            fault: RefCell::new(fault),
        }
    }

    pub(crate) fn calls(&self) -> Calls {
        self.calls.clone()
    }
}

fn around<T>(
    name: &'static str,
    calls: &Calls,
    fault: &RefCell<Option<Fault>>,
    call: impl FnOnce() -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    calls.borrow_mut().push(name);
    let mut fault = fault.borrow_mut();
    let mut strike = |is_after: bool| {
        let Some(fault) = &mut *fault else {
            return Ok(());
        };
        let calls = calls.borrow();
        let counted = |call: &&&str| fault.of.is_none_or(|of| of == **call);
        // Those so far, with this one.
        let count = calls.iter().filter(counted).count();
        let is_now = fault.of.is_none_or(|of| of == name) && count == fault.at + 1;
        let is_later = fault.lasts && count > fault.at && !is_now && !is_after;
        match is_later || is_now && fault.after == is_after {
            true => (fault.strike)(),
            false => Ok(()),
        }
    };
    strike(false)?;
    let result = call()?;
    strike(true)?;
    Ok(result)
}

/// `calls!(self, predict(x))`: that of `self.inner`, with what happens around it.
macro_rules! calls {
    ($self:ident, $name:ident($($argument:expr),*)) => {
        around(stringify!($name), &$self.calls, &$self.fault, || {
            $self.inner.$name($($argument),*)
        })
    };
}

impl Model for Failing {
    delegate!(inner: layer_sizes, device, config, loss, learning_rate);

    fn pending_batches(&self) -> u32 {
        self.inner.pending_batches()
    }
    fn train_batch(&mut self, x: ArrayView2<'_, f32>, t: Targets<'_>) -> Result<(), ModelError> {
        calls!(self, train_batch(x, t))
    }
    fn take_loss(&mut self) -> Result<MeanLoss, ModelError> {
        calls!(self, take_loss())
    }
    fn request_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        calls!(self, request_loss())
    }
    fn poll_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        calls!(self, poll_loss())
    }
    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        calls!(self, predict(x))
    }
    fn set_learning_rate(&mut self, rate: f32) -> Result<(), ModelError> {
        calls!(self, set_learning_rate(rate))
    }
    fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError> {
        calls!(self, parameters())
    }
    fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError> {
        calls!(self, set_parameters(parameters))
    }
    fn training_state(&self) -> Result<TrainingState, ModelError> {
        calls!(self, training_state())
    }
    fn set_training_state(&mut self, state: &TrainingState) -> Result<(), ModelError> {
        calls!(self, set_training_state(state))
    }
    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        calls!(self, histograms())
    }
    fn resident(&mut self) -> Option<&mut dyn ResidentModel> {
        self.inner.resident().is_some().then_some(self as _)
    }
}

impl Failing {
    fn inner_resident(inner: &mut Box<dyn Model>) -> Result<&mut dyn ResidentModel, ModelError> {
        inner.resident().ok_or(ModelError::NoData)
    }
}

impl ResidentModel for Failing {
    fn load(&mut self, x: ArrayView2<'_, f32>, t: Targets<'_>) -> Result<bool, ModelError> {
        around("load", &self.calls, &self.fault, || {
            Self::inner_resident(&mut self.inner)?.load(x, t)
        })
    }
    fn unload(&mut self) -> Result<(), ModelError> {
        around("unload", &self.calls, &self.fault, || {
            Self::inner_resident(&mut self.inner)?.unload()
        })
    }
    fn set_order(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError> {
        around("set_order", &self.calls, &self.fault, || {
            Self::inner_resident(&mut self.inner)?.set_order(indices, batch)
        })
    }
    fn train_next(&mut self) -> Result<bool, ModelError> {
        around("train_next", &self.calls, &self.fault, || {
            Self::inner_resident(&mut self.inner)?.train_next()
        })
    }
}

/// Panics of threads whose names begin with that of the caller's module, caught ones included: their
/// places. What wgpu panics with, and the library catches, is told apart by its place.
pub(crate) fn panics(of: &str) -> Vec<String> {
    static PANICS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
    static HOOK: OnceLock<()> = OnceLock::new();
    HOOK.get_or_init(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current().name().unwrap_or_default().to_owned();
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            panics.push((thread, place));
            drop(panics);
            previous(info);
        }));
    });
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    let ours = panics.iter().filter(|(thread, _)| thread.starts_with(of));
    ours.map(|(_, place)| place.clone()).collect()
}
