//! The optimizer on the device: its settings, its state, and the dispatches of a step.

use std::sync::Arc;

use crate::device::{Gpu, GpuError};
use crate::kernel::{Dispatch, PrepareError, Vector};
use crate::model::{
    LossScale, LossScaling, ModelError, Moment, Optimizer, StateShape, TrainingState,
};

use super::linear::Linear;
use super::ops::{
    Flat, GradientSum, NetworkKernels, OptimizerState, ScaledLoss, clip_step, optimizer_settings,
    optimizer_state,
};
use super::parameters::Parameters;

/// An optimizer for the parameters of some layers: settings and state on the device.
///
/// [`Network`](super::Network) has one. This is for those who put [`Linear`] layers together by
/// themselves.
#[derive(Debug)]
pub struct Update {
    optimizer: Optimizer,
    settings: wgpu::Buffer,
    storages: Vec<Storage>,
    clip_norm: Option<f32>,
    /// Batches that make an update.
    accumulation: u32,
    /// What gradients are multiplied by, where they are.
    scaled: Option<ScaledLoss>,
}

/// Parameters of one layout, with the buffers that they lie in.
#[derive(Debug)]
struct Storage {
    parameters: Arc<Parameters>,
    parts: Vec<Part>,
}

/// A buffer of parameters, with everything that is laid out like it.
#[derive(Debug)]
struct Part {
    values: wgpu::Buffer,
    gradients: wgpu::Buffer,
    /// The sum of the gradients of earlier batches; `None` where every batch makes an update.
    sum: Option<wgpu::Buffer>,
    state: Box<dyn OptimizerState>,
}

impl Update {
    /// An optimizer of `layers` that has seen nothing yet.
    ///
    /// # Errors
    /// [`ModelError::Setting`] where a setting is out of range, [`ModelError::Gpu`] where the
    /// device has not enough memory.
    pub fn new(gpu: &Gpu, optimizer: Optimizer, layers: &[Linear]) -> Result<Self, ModelError> {
        optimizer.check()?;
        let mut storages: Vec<Storage> = Vec::new();
        for parameters in layers.iter().map(Linear::storage) {
            let is_it = |known: &Storage| Arc::ptr_eq(&known.parameters, parameters);
            if !storages.iter().any(is_it) {
                storages.push(Storage::new(gpu, &optimizer, parameters)?);
            }
        }
        Ok(Self {
            settings: upload_settings(gpu, &optimizer)?,
            optimizer,
            storages,
            clip_norm: None,
            accumulation: 1,
            scaled: None,
        })
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.storages.iter().flat_map(|storage| &storage.parts)
    }

    /// The same, clipping the gradients of all its layers to a global norm first; see
    /// [`NetworkKernels::clip`].
    #[must_use]
    pub fn clipped(self, clip_norm: Option<f32>) -> Self {
        Self { clip_norm, ..self }
    }

    /// The same for gradients of a loss that is scaled: they are divided by the scale first, and a
    /// step with one that is not finite is left out.
    pub(super) fn scaled(
        mut self,
        gpu: &Gpu,
        scaling: Option<LossScaling>,
    ) -> Result<Self, ModelError> {
        let scaled = scaling.map(|scaling| ScaledLoss::new(gpu, scaling));
        self.scaled = scaled.transpose()?;
        Ok(self)
    }

    /// What gradients are multiplied by, where they are.
    pub(super) fn scaled_loss(&self) -> Option<&ScaledLoss> {
        self.scaled.as_ref()
    }

    /// The same, with a step for the mean of the gradients of so many batches: one record of
    /// [`Self::keep`] for the first, of [`Self::add`] for all others but the last, and of
    /// [`Self::dispatches`] for that.
    ///
    /// # Errors
    /// [`ModelError::Gpu`] where the device has not enough memory for one more number a parameter.
    pub fn accumulating(mut self, gpu: &Gpu, batches: u32) -> Result<Self, ModelError> {
        self.accumulation = batches.max(1);
        let storages = self.storages.iter_mut();
        for part in storages.flat_map(|storage| &mut storage.parts) {
            let elements = elements(&part.gradients);
            part.sum = match self.accumulation {
                1 => None,
                _ => Some(gpu.zeros("wgpu_linear::gradient_sum", elements)?),
            };
        }
        Ok(self)
    }

    /// The optimizer with its settings.
    #[must_use]
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Sets the step size of whatever is submitted from now on.
    ///
    /// # Errors
    /// [`ModelError::Setting`] where it is negative or not finite; the old one stays then.
    pub fn set_learning_rate(&mut self, gpu: &Gpu, learning_rate: f32) -> Result<(), ModelError> {
        self.optimizer.set_learning_rate(learning_rate)?;
        let settings = optimizer_settings(&self.optimizer).padded();
        Ok(gpu.write(&self.settings, 0, &settings)?)
    }

    /// What the optimizer remembers, under the names of its formulas, such as `velocity`: each laid
    /// out like the buffer that the parameters are in.
    pub fn state(&self) -> impl Iterator<Item = (&'static str, &wgpu::Buffer)> {
        self.parts().flat_map(|part| {
            let scalars = part.state.scalars();
            scalars.into_iter().chain(part.state.moments())
        })
    }

    /// A copy of what the optimizer remembers, after all work submitted before: the layers of each
    /// moment in the order in which the optimizer was given them, each once. Of how many batches it
    /// is, you know: `batches` is 0.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn training_state_async(&self, gpu: &Gpu) -> Result<TrainingState, ModelError> {
        let mut state = TrainingState::default();
        let shape = self.state_shape();
        for (i, name) in shape.moments.into_iter().enumerate() {
            let mut layers = Vec::new();
            for storage in &self.storages {
                let moment = storage.moment(i);
                layers.extend(storage.parameters.read(gpu, moment).await?);
            }
            let name = name.to_owned();
            state.moments.push(Moment { name, layers });
        }
        for (name, buffer) in self.scalars() {
            let values = gpu.read_range_async::<f32>(buffer, 0, elements(buffer));
            state.scalars.push((name.to_owned(), values.await?));
        }
        Ok(state)
    }

    /// Puts what [`Self::training_state_async`] has taken out back, for whatever is submitted from
    /// now on; `batches` is left alone.
    ///
    /// # Errors
    /// [`ModelError::StateNames`] where the state is of another optimizer, [`ModelError::State`]
    /// where a shape differs or a number is not finite; nothing is changed then. Otherwise what the
    /// device reports.
    pub fn set_training_state(&self, gpu: &Gpu, state: &TrainingState) -> Result<(), ModelError> {
        self.state_shape().check(state)?;
        for (i, name) in self.state_shape().moments.into_iter().enumerate() {
            let mut layers = state.moment(name).unwrap_or_default();
            for storage in &self.storages {
                let here;
                // There are as many as all storages have together: that was checked.
                (here, layers) = layers.split_at(storage.parameters.layers());
                let moment = storage.moment(i);
                storage.parameters.write_to(gpu, moment, here)?;
            }
        }
        let of_parts = self.parts().flat_map(|part| part.state.scalars());
        for (name, buffer) in of_parts.chain(self.loss_scale()) {
            let values = state.scalar(name).unwrap_or_default();
            gpu.write(buffer, 0, bytemuck::cast_slice(values))?;
        }
        Ok(())
    }

    fn state_shape(&self) -> StateShape {
        let first = self.parts().next();
        let moments = first.map(|part| part.state.moments()).unwrap_or_default();
        let storages = self.storages.iter();
        StateShape {
            moments: moments.into_iter().map(|(name, _)| name).collect(),
            scalars: self
                .scalars()
                .map(|(name, buffer)| (name, elements(buffer)))
                .collect(),
            layers: storages
                .flat_map(|storage| storage.parameters.sizes())
                .collect(),
        }
    }

    /// Those of the first part: the others have the same; and the scale of the loss.
    fn scalars(&self) -> impl Iterator<Item = (&'static str, &wgpu::Buffer)> {
        let first = self.parts().take(1);
        let of_optimizer = first.flat_map(|part| part.state.scalars());
        of_optimizer.chain(self.loss_scale())
    }

    fn loss_scale(&self) -> Option<(&'static str, &wgpu::Buffer)> {
        let scaled = self.scaled.as_ref()?;
        Some((LossScale::NAME, scaled.state()))
    }

    /// A step: one dispatch or two, three more where it clips, one where it takes the mean of
    /// several batches, and more where the parameters are in several buffers or larger than one
    /// binding may be.
    ///
    /// # Errors
    /// As [`LinearKernels::forward`](crate::LinearKernels::forward).
    pub fn dispatches(&self, kernels: &NetworkKernels) -> Result<Vec<Dispatch>, PrepareError> {
        let mean = |operands: GradientSum<'_>| kernels.mean_gradients(operands, self.accumulation);
        let mut dispatches = self.of_sums(kernels, mean)?;
        dispatches.extend(self.unscale(kernels)?);
        dispatches.extend(self.clip(kernels)?);
        let verdict = self.scaled.as_ref().map(ScaledLoss::verdict);
        for part in self.parts() {
            dispatches.extend(part.dispatches(kernels, &self.settings, verdict)?);
        }
        Ok(dispatches)
    }

    /// Divides the gradients by the scale of the loss, and decides whether the step is left out.
    fn unscale(&self, kernels: &NetworkKernels) -> Result<Vec<Dispatch>, PrepareError> {
        let Some(scaled) = &self.scaled else {
            return Ok(Vec::new());
        };
        let mut dispatches = Vec::new();
        for gradients in self.gradients(kernels.limits()) {
            dispatches.push(scaled.unscale(kernels, gradients)?);
        }
        dispatches.push(scaled.next(kernels)?);
        Ok(dispatches)
    }

    /// All of them, in pieces that can be bound.
    fn gradients<'a>(&'a self, limits: &'a wgpu::Limits) -> impl Iterator<Item = Vector<'a>> {
        self.parts().flat_map(|part| {
            let pieces = pieces(part.gradients.size(), limits);
            pieces.map(|piece| piece.of(&part.gradients))
        })
    }

    /// Keeps the gradients of the first of several batches; nothing where every batch makes an
    /// update.
    ///
    /// # Errors
    /// As [`LinearKernels::forward`](crate::LinearKernels::forward).
    pub fn keep(&self, kernels: &NetworkKernels) -> Result<Vec<Dispatch>, PrepareError> {
        self.of_sums(kernels, |operands| kernels.keep_gradients(operands))
    }

    /// Adds the gradients of a batch to those before; nothing where every batch makes an update.
    ///
    /// # Errors
    /// As [`LinearKernels::forward`](crate::LinearKernels::forward).
    pub fn add(&self, kernels: &NetworkKernels) -> Result<Vec<Dispatch>, PrepareError> {
        self.of_sums(kernels, |operands| kernels.add_gradients(operands))
    }

    /// A dispatch for each piece of the gradients that has a sum beside it.
    fn of_sums(
        &self,
        kernels: &NetworkKernels,
        prepare: impl Fn(GradientSum<'_>) -> Result<Dispatch, PrepareError>,
    ) -> Result<Vec<Dispatch>, PrepareError> {
        let mut dispatches = Vec::new();
        for part in self.parts() {
            let Some(sum) = &part.sum else {
                continue;
            };
            for piece in pieces(sum.size(), kernels.limits()) {
                dispatches.push(prepare(GradientSum {
                    gradients: piece.of(&part.gradients),
                    sum: piece.of(sum),
                })?);
            }
        }
        Ok(dispatches)
    }

    /// Padding between tensors is 0, and adds nothing to the norm.
    fn clip(&self, kernels: &NetworkKernels) -> Result<Vec<Dispatch>, PrepareError> {
        let Some(max_norm) = self.clip_norm else {
            return Ok(Vec::new());
        };
        let gradients: Vec<_> = self.gradients(kernels.limits()).collect();
        clip_step(kernels, max_norm, &gradients)
    }
}

fn upload_settings(gpu: &Gpu, optimizer: &Optimizer) -> Result<wgpu::Buffer, GpuError> {
    let settings = optimizer_settings(optimizer).padded();
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let buffer = gpu.create_buffer("wgpu_linear::settings", settings.len() as u64, usage)?;
    gpu.write(&buffer, 0, &settings)?;
    Ok(buffer)
}

fn elements(buffer: &wgpu::Buffer) -> usize {
    (buffer.size() / 4) as usize
}

impl Storage {
    fn new(
        gpu: &Gpu,
        optimizer: &Optimizer,
        parameters: &Arc<Parameters>,
    ) -> Result<Self, GpuError> {
        let buffers = parameters.values().iter().zip(parameters.gradients());
        let part = |(values, gradients)| Part::new(gpu, optimizer, values, gradients);
        Ok(Self {
            parts: buffers.map(part).collect::<Result<_, _>>()?,
            parameters: parameters.clone(),
        })
    }

    /// The buffers of a moment, by its number among those of the optimizer.
    fn moment(&self, i: usize) -> impl Iterator<Item = &wgpu::Buffer> {
        let parts = self.parts.iter();
        parts.filter_map(move |part| Some(part.state.moments().get(i)?.1))
    }
}

impl Part {
    fn new(
        gpu: &Gpu,
        optimizer: &Optimizer,
        values: &wgpu::Buffer,
        gradients: &wgpu::Buffer,
    ) -> Result<Self, GpuError> {
        Ok(Self {
            state: optimizer_state(gpu, optimizer, elements(values))?,
            values: values.clone(),
            gradients: gradients.clone(),
            sum: None,
        })
    }

    fn dispatches(
        &self,
        kernels: &NetworkKernels,
        settings: &wgpu::Buffer,
        verdict: Option<Vector<'_>>,
    ) -> Result<Vec<Dispatch>, PrepareError> {
        let begin = self.state.begin(kernels, settings, verdict)?;
        let mut dispatches = Vec::from_iter(begin);
        for piece in pieces(self.values.size(), kernels.limits()) {
            let flat = Flat {
                gradients: &self.gradients,
                parameters: &self.values,
                offset_bytes: piece.offset_bytes,
                elements: piece.elements,
                verdict,
            };
            dispatches.push(self.state.step(kernels, settings, &flat)?);
        }
        Ok(dispatches)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    offset_bytes: u64,
    elements: u32,
}

impl Piece {
    fn of(self, buffer: &wgpu::Buffer) -> Vector<'_> {
        Vector::new(buffer, self.elements).at(self.offset_bytes)
    }
}

/// Cuts a flat buffer into pieces that can be bound. Any cut will do: the optimizers treat each
/// element by itself.
fn pieces(bytes: u64, limits: &wgpu::Limits) -> impl Iterator<Item = Piece> {
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let largest = limits
        .max_storage_buffer_binding_size
        .min(u64::from(u32::MAX))
        / alignment
        * alignment;
    let piece = move |i| {
        let offset_bytes = i * largest;
        Piece {
            offset_bytes,
            elements: ((bytes - offset_bytes).min(largest) / 4) as u32,
        }
    };
    (0..bytes.div_ceil(largest)).map(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_buffer_larger_than_a_binding() {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: 1000,
            ..wgpu::Limits::default()
        };
        let expected = [(0, 192), (768, 192), (1536, 64)].map(|(offset_bytes, elements)| Piece {
            offset_bytes,
            elements,
        });
        assert_eq!(pieces(1792, &limits).collect::<Vec<_>>(), expected);
    }
}
