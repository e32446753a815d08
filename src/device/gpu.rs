//! A device for those who have none: finds an adapter, opens it, uploads and reads back.
//!
//! With `adapter.rs` this is the only place that acquires an adapter. Applications that own a
//! device wrap it with [`Gpu::wrap`], or do without: the kernels need nothing but a
//! [`wgpu::Device`].

#[cfg(not(target_arch = "wasm32"))]
use std::fmt;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::Arc;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Duration;

use wgpu::DeviceType;

use super::GpuError;
use super::adapter::{GpuOptions, choose, describe, describe_request, enumerate, install_hint};
use super::matrix_units::{MatrixUnits, experiments};
use super::patience::Patience;
#[cfg(not(target_arch = "wasm32"))]
use super::patience::is_done;
use super::readback;
use super::requirements::Requirements;
#[cfg(test)]
use crate::kernel::Fault;
use crate::kernel::{
    Dispatch, ElementType, Failure, KernelCache, Portions, ShaderChecks, caught, guard,
    is_lost_async, watch,
};
#[cfg(not(target_arch = "wasm32"))]
use crate::kernel::{FirstUse, Pipelines, Runner, Stopped};

/// An open device with its queue. Cloning is cheap and refers to the same device.
#[derive(Clone, Debug)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    patience: Patience,
    #[cfg(not(target_arch = "wasm32"))]
    pipelines: Option<Pipelines>,
    #[cfg(not(target_arch = "wasm32"))]
    first_use: Option<Arc<FirstUse>>,
    /// What goes wrong on purpose.
    #[cfg(test)]
    fault: Option<Fault>,
}

impl Gpu {
    /// Opens the best adapter of this machine, a software one if there is no other.
    ///
    /// # Errors
    /// As [`Self::request`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new() -> Result<Self, GpuError> {
        Self::open(&GpuOptions::default())
    }

    /// [`Self::request`], waiting for the answer.
    ///
    /// # Errors
    /// As [`Self::request`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(options: &GpuOptions) -> Result<Self, GpuError> {
        pollster::block_on(Self::request(options))
    }

    /// Opens an adapter that matches `options`, with the features of [`Requirements::of`] and all
    /// the limits that it really has (wgpu's default is WebGPU's floor).
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] with the list of what was found and what to install,
    /// [`GpuError::RequestDevice`] where the adapter refuses to open.
    pub async fn request(options: &GpuOptions) -> Result<Self, GpuError> {
        let adapters = enumerate(options).await;
        let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
        let adapter = choose(options, &infos)
            .and_then(|index| adapters.get(index))
            .ok_or_else(|| GpuError::NoAdapter {
                wanted: describe_request(options),
                seen: infos.iter().map(describe).collect(),
                hint: install_hint(),
            })?;
        let requirements = Requirements::of(adapter);
        let mut wanted = options.features;
        if options.pipelines.is_some() {
            wanted |= wgpu::Features::PIPELINE_CACHE;
        }
        let experiment = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        let has_units = options.matrix_units && MatrixUnits::of(adapter).is_some();
        wanted.set(experiment, has_units);
        let descriptor = wgpu::DeviceDescriptor {
            required_features: requirements.features() | adapter.features() & wanted,
            experimental_features: match has_units {
                true => experiments(),
                false => wgpu::ExperimentalFeatures::disabled(),
            },
            ..requirements.descriptor()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|source| GpuError::RequestDevice {
                adapter: describe(&adapter.get_info()),
                source,
            })?;
        #[cfg(not(target_arch = "wasm32"))]
        let folder = options.pipelines.as_ref();
        let gpu = Self {
            #[cfg(not(target_arch = "wasm32"))]
            pipelines: folder.and_then(|folder| Pipelines::open(&device, folder)),
            patience: Patience::new(options.timeout),
            ..Self::unchecked(device, queue)
        };
        Ok(gpu.with_first_use_checks(options.first_use_checks))
    }

    /// Wraps a device and its queue that the application already owns. Neither is changed: no
    /// handler is replaced. [`Requirements`] says what to open a device with.
    ///
    /// Kernels are checked on first use, see
    /// [`GpuOptions::first_use_checks`]; [`Self::with_first_use_checks`] turns that off.
    ///
    /// Hand in buffers of this device only, see [`LinearKernels::new`](crate::LinearKernels::new).
    #[must_use]
    pub fn wrap(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        Self::unchecked(device, queue).with_first_use_checks(true)
    }

    fn unchecked(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        Self {
            device,
            queue,
            patience: Patience::new(GpuOptions::default().timeout),
            #[cfg(not(target_arch = "wasm32"))]
            pipelines: None,
            #[cfg(not(target_arch = "wasm32"))]
            first_use: None,
            #[cfg(test)]
            fault: None,
        }
    }

    /// The same device, of whose kernels nothing is known: each is checked on first use, or none,
    /// see [`GpuOptions::first_use_checks`]. What was made of it before stays as it is.
    ///
    /// ```
    /// # use wgpu_linear::{Gpu, wgpu};
    /// # fn of(device: wgpu::Device, queue: wgpu::Queue) -> Gpu {
    /// Gpu::wrap(device, queue).with_first_use_checks(false)
    /// # }
    /// ```
    #[must_use]
    pub fn with_first_use_checks(self, checks: bool) -> Self {
        self.checking(checks)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn checking(self, checks: bool) -> Self {
        let first_use = None;
        let bare = Self { first_use, ..self };
        // A device that computes nothing is right in nothing.
        let computes = bare.device.adapter_info().backend != wgpu::Backend::Noop;
        let runner = (checks && computes).then(|| Box::new(bare.clone()));
        let first_use = runner.map(|runner| Arc::new(FirstUse::new(runner)));
        Self { first_use, ..bare }
    }

    /// A browser does not allow to wait for results.
    #[cfg(target_arch = "wasm32")]
    fn checking(self, _: bool) -> Self {
        self
    }

    /// The kernels that computed wrong results when they were first used on this device, by
    /// [`Kernel::name`](crate::Kernel::name), each with what is wrong; none of them is used.
    /// Empty in a browser, and where nothing is checked.
    #[must_use]
    pub fn condemned_kernels(&self) -> Vec<String> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(first_use) = &self.first_use {
            let in_words = |(name, found): (String, Box<str>)| format!("{name}: {found}");
            let mut condemned: Vec<_> = first_use.condemned().into_iter().map(in_words).collect();
            condemned.sort();
            return condemned;
        }
        Vec::new()
    }

    /// The same with a kernel that goes wrong.
    #[cfg(test)]
    pub(crate) fn with_fault(self, fault: Fault) -> Self {
        let (checks, fault) = (self.first_use.is_some(), Some(fault));
        Self { fault, ..self }.with_first_use_checks(checks)
    }

    /// A cache of kernels that are compiled with what earlier processes have kept.
    pub(crate) fn kernel_cache(&self, checks: ShaderChecks) -> KernelCache {
        let cache = KernelCache::new(&self.device, checks);
        #[cfg(not(target_arch = "wasm32"))]
        let cache = cache
            .with_pipelines(self.pipelines.clone())
            .with_first_use(self.first_use.clone());
        #[cfg(test)]
        let cache = cache.with_fault(self.fault);
        cache
    }

    /// Writes down what has been compiled, where the options say so.
    pub(crate) fn keep_pipelines(&self) {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(pipelines) = &self.pipelines {
            pipelines.keep();
        }
    }

    /// The adapters that `options.backends` offers, in words, in the order that
    /// [`AdapterChoice::Index`](crate::AdapterChoice::Index) counts.
    pub async fn adapters(options: &GpuOptions) -> Vec<String> {
        let infos = Self::adapter_infos(options).await;
        infos.iter().map(describe).collect()
    }

    /// The same as wgpu tells it: name, kind, backend and driver.
    pub async fn adapter_infos(options: &GpuOptions) -> Vec<wgpu::AdapterInfo> {
        let adapters = enumerate(options).await;
        adapters.iter().map(wgpu::Adapter::get_info).collect()
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// Name, backend and driver of the adapter, in words.
    #[must_use]
    pub fn description(&self) -> String {
        describe(&self.device.adapter_info())
    }

    /// Whether the adapter is a program on the CPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.device.adapter_info().device_type == DeviceType::Cpu
    }

    /// A new buffer of `bytes` bytes, rounded up to a multiple of 4 and to at least 4.
    pub(crate) fn create_buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, GpuError> {
        readback::create_buffer(&self.device, label, bytes, usage)
    }

    /// A new storage buffer with `len` zeros of f32, ready for every operation of this crate and
    /// for [`Self::read`].
    ///
    /// # Errors
    /// [`GpuError::BufferTooLarge`], [`GpuError::OutOfMemory`] or [`GpuError::DeviceLost`].
    pub fn zeros(&self, label: &str, len: usize) -> Result<wgpu::Buffer, GpuError> {
        self.zeros_as(label, ElementType::F32, len as u64)
    }

    /// The same of so many numbers that are stored as `element`.
    pub(crate) fn zeros_as(
        &self,
        label: &str,
        element: ElementType,
        len: u64,
    ) -> Result<wgpu::Buffer, GpuError> {
        // wgpu hands out zeroed memory.
        self.create_buffer(label, len.saturating_mul(element.bytes()), STORAGE)
    }

    /// A new storage buffer with a copy of `contents`, ready for every operation of this crate and
    /// for [`Self::read`].
    ///
    /// # Errors
    /// [`GpuError::BufferTooLarge`], [`GpuError::OutOfMemory`] or [`GpuError::DeviceLost`].
    pub fn upload<T: Element>(
        &self,
        label: &str,
        contents: &[T],
    ) -> Result<wgpu::Buffer, GpuError> {
        let bytes: &[u8] = bytemuck::cast_slice(contents);
        let buffer = self.create_buffer(label, bytes.len() as u64, STORAGE)?;
        // Whole words are copied, and two bytes may be left over.
        let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
        self.write(&buffer, 0, words)?;
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            self.write(&buffer, words.len() as u64, &last)?;
        }
        Ok(buffer)
    }

    /// The same of numbers that are stored as `element`, rounded where they have to be.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn upload_as(
        &self,
        label: &str,
        element: ElementType,
        values: &[f32],
    ) -> Result<wgpu::Buffer, GpuError> {
        match element {
            ElementType::F32 => self.upload(label, values),
            ElementType::F16 => self.upload(label, &element.words(values)),
        }
    }

    /// Copies `bytes`, a multiple of 4, into a buffer of this device, for what is submitted from
    /// now on.
    pub(crate) fn write(
        &self,
        buffer: &wgpu::Buffer,
        offset_bytes: u64,
        bytes: &[u8],
    ) -> Result<(), GpuError> {
        let fill = |view: &mut wgpu::QueueWriteBufferView| view.copy_from_slice(bytes);
        self.write_with(buffer, offset_bytes, bytes.len() as u64, fill)
    }

    /// [`Self::write`], with bytes that `fill` writes down.
    pub(crate) fn write_with(
        &self,
        buffer: &wgpu::Buffer,
        offset_bytes: u64,
        bytes: u64,
        fill: impl FnOnce(&mut wgpu::QueueWriteBufferView),
    ) -> Result<(), GpuError> {
        let Some(size) = wgpu::BufferSize::new(bytes) else {
            return Ok(());
        };
        let write = || {
            let view = self.queue.write_buffer_with(buffer, offset_bytes, size);
            view.map(|mut view| fill(&mut view))
        };
        let memory = ("wgpu_linear::staging", bytes);
        let written =
            watch(&self.device, write).map_err(|failure| GpuError::of(failure, None, memory))?;
        // There is no view, and no error either, where the device is lost.
        written.ok_or(GpuError::DeviceLost)
    }

    /// Runs the dispatches in order, in one compute pass of one submission, or in several where
    /// they should take longer than a second ([`Dispatch::estimates`]). Does not wait for them; the
    /// submission that it returns is the last.
    ///
    /// # Errors
    /// [`GpuError::Refused`] where a dispatch was prepared for another device, or one of its buffers
    /// has been destroyed or is mapped; [`GpuError::Foreign`] where wgpu does not know a dispatch,
    /// which was prepared for another instance (one that wgpu takes for another of ours is not
    /// noticed); [`GpuError::DeviceLost`].
    pub fn run<'a>(
        &self,
        dispatches: impl IntoIterator<Item = &'a Dispatch>,
    ) -> Result<wgpu::SubmissionIndex, GpuError> {
        let grids = dispatches.into_iter().flat_map(|dispatch| &dispatch.grids);
        let mut work = Portions::of(grids.map(|grid| (grid, 0)));
        loop {
            let submit = || {
                let mut encoder = self.encoder("wgpu_linear::run");
                work.record(&mut encoder, "wgpu_linear::run");
                self.queue.submit([encoder.finish()])
            };
            let submission = guard(&self.device, submit).map_err(|failure| {
                GpuError::of(failure, Some("dispatch"), ("wgpu_linear::run", 0))
            })?;
            if work.is_done() {
                return Ok(submission);
            }
        }
    }

    pub(crate) fn encoder(&self, label: &str) -> wgpu::CommandEncoder {
        let label = Some(label);
        self.device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor { label })
    }

    /// Submits what has been recorded with objects of this device.
    pub(crate) fn submit(
        &self,
        encoder: wgpu::CommandEncoder,
    ) -> Result<wgpu::SubmissionIndex, GpuError> {
        // A lost device accepts nothing, and does not say so. Where memory runs out, wgpu loses the
        // device and tells its handler, which may panic.
        match guard(&self.device, || self.queue.submit([encoder.finish()])) {
            Err(Failure::Panicked(_)) => Err(GpuError::DeviceLost),
            result => {
                result.map_err(|failure| GpuError::of(failure, None, ("wgpu_linear::submit", 0)))
            }
        }
    }

    /// Waits until `submission` has been executed, with all that was submitted before it.
    ///
    /// # Errors
    /// [`GpuError::Timeout`], [`GpuError::DeviceLost`], or [`GpuError::ForeignSubmission`] where it
    /// was another device's.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), GpuError> {
        self.wait_for(submission, format_args!("the submission"))
    }

    /// [`Self::wait`] under another name.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait_for(
        &self,
        submission: wgpu::SubmissionIndex,
        operation: fmt::Arguments<'_>,
    ) -> Result<(), GpuError> {
        self.patience.wait(&self.device, submission, (operation, 0))
    }

    /// Whether `submission` has been executed; does not wait.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn is_done(&self, submission: &wgpu::SubmissionIndex) -> Result<bool, GpuError> {
        is_done(&self.device, submission, Duration::ZERO)
    }

    /// Lets wgpu call back for whatever has finished; does not wait. (A browser does so by itself,
    /// and tells here what it has refused before.)
    pub(crate) fn poll(&self) -> Result<(), GpuError> {
        // Only waiting can fail, or a driver that has lost the device, which whatever comes next will
        // find out.
        let _ = caught(|| self.device.poll(wgpu::PollType::Poll));
        readback::hear(&self.device)
    }

    /// Waits until the device has said of everything that this crate has asked of it so far whether
    /// it could be done.
    ///
    /// For browsers, which take no time to refuse: there, whatever makes or prepares something
    /// returns `Ok` at first, and what was wrong comes back from here, or from whatever next brings
    /// numbers to the host, be it [`Self::read_range_async`] or a loss. So nothing that follows
    /// from an error is taken for a result; who reads nothing back asks here. What is recorded in
    /// passes of yours is for error scopes of yours. Natively each call returns its own errors, and
    /// this finds out whether the device is lost.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`] or [`GpuError::Refused`] for the first call that was refused since
    /// one was told; [`GpuError::DeviceLost`].
    pub async fn check_async(&self) -> Result<(), GpuError> {
        readback::settle(&self.device).await?;
        match is_lost_async(&self.device).await {
            true => Err(GpuError::DeviceLost),
            false => Ok(()),
        }
    }

    /// [`Self::read_range`] over the whole buffer.
    ///
    /// # Errors
    /// As [`Self::read_range`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read<T: Element>(&self, buffer: &wgpu::Buffer) -> Result<Vec<T>, GpuError> {
        let len = buffer.size() as usize / size_of::<T>();
        self.read_range(buffer, 0, len)
    }

    /// [`Self::read_range_async`], waiting for the answer.
    ///
    /// # Errors
    /// As [`Self::read_range_async`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_range<T: Element>(
        &self,
        buffer: &wgpu::Buffer,
        offset_bytes: u64,
        len: usize,
    ) -> Result<Vec<T>, GpuError> {
        pollster::block_on(self.read_range_async(buffer, offset_bytes, len))
    }

    /// Copies `len` elements, from byte `offset_bytes` on, to the host, after all work submitted
    /// before.
    ///
    /// The offset is a multiple of 4; the buffer needs `COPY_SRC`. Natively this blocks until the
    /// device has finished; in a browser it yields.
    ///
    /// # Errors
    /// [`GpuError::Unreadable`]; [`GpuError::Refused`] where the buffer belongs to another device of
    /// the same wgpu instance, is mapped or destroyed; [`GpuError::Foreign`] where it belongs to
    /// another instance, as far as
    /// [`LinearKernels::new`](crate::LinearKernels::new) says; [`GpuError::OutOfMemory`],
    /// [`GpuError::Timeout`] or [`GpuError::DeviceLost`].
    pub async fn read_range_async<T: Element>(
        &self,
        buffer: &wgpu::Buffer,
        offset_bytes: u64,
        len: usize,
    ) -> Result<Vec<T>, GpuError> {
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        let range = readback::BufferRange {
            buffer,
            offset_bytes,
            bytes,
        };
        readback::read(&self.device, &self.queue, range, &self.patience).await
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Runner for Gpu {
    fn run(&self, dispatch: &Dispatch, buffer: &wgpu::Buffer) -> Result<Vec<u32>, Stopped> {
        let words = self.run([dispatch]).and_then(|_| self.read(buffer));
        words.map_err(|error| match error {
            GpuError::DeviceLost => Stopped::Lost,
            GpuError::Timeout { waited, .. } => Stopped::Timeout(waited),
            error => Stopped::Other(Box::new(error)),
        })
    }
}

/// The types that shaders know and buffers hold: f32 for numbers, [`half::f16`] where views say so
/// ([`ElementType`](crate::kernel::ElementType)), u32 for labels.
///
/// Not implemented for f64, so that a forgotten suffix cannot send numbers that the GPU would
/// misread.
pub trait Element: bytemuck::Pod + sealed::Sealed {}

impl Element for f32 {}
impl Element for half::f16 {}
impl Element for u32 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
    impl Sealed for u32 {}
}

const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST);
