//! The frame loop of an application with a device, a queue and buffers of its own.

use std::error::Error;

use wgpu_linear::model::{ModelError, NetworkConfig};
use wgpu_linear::nn::{Goal, Network, Training};
use wgpu_linear::wgpu::{self, util::DeviceExt};
use wgpu_linear::{Gpu, Matrix};

use super::picture::{INPUTS, Picture};
use super::{Clock, Learned};

/// Frames between two looks at the loss.
const REPORT_EVERY: u64 = 50;

pub(crate) fn learn(
    config: NetworkConfig,
    target: &Picture,
    batch: u32,
    seed: u32,
    clock: &Clock,
) -> Result<Learned, Box<dyn Error>> {
    let mut app = pollster::block_on(Application::new(target, batch, seed))?;

    // Once: the network on the application's device, and a step between the application's buffers.
    let gpu = Gpu::wrap(app.device.clone(), app.queue.clone());
    let mut network = Network::new(&gpu, config)?;
    let mut losses = network.losses()?;
    let x = Matrix::new(&app.x, batch, INPUTS as u32);
    let y = Matrix::new(&app.y, batch, 3);
    let step = network.training(Training::new(x, Goal::Values(y)))?;

    let mut frames = 0;
    while clock.passed() < 1.0 {
        network.set_learning_rate(clock.learning_rate())?;
        let mut encoder = app.begin_frame(frames);
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            app.sample.record(&mut pass);
            step.record(&mut pass); // forward, loss, backward, update
        }
        frames += 1;
        if frames.is_multiple_of(REPORT_EVERY) {
            losses.record(&mut encoder);
        }
        app.submit(encoder)?;
        losses.request();
        if let Some(loss) = losses.poll()? {
            clock.show(frames, loss.mean);
        }
    }
    let outputs = app.render(&network, &gpu, target)?;
    Ok(Learned {
        picture: target.with_pixels(&outputs),
        frames,
        device: gpu.description(),
    })
}

/// What a renderer has anyway.
struct Application {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// Size of the picture, number of the frame, seed.
    frame: [u32; 4],
    uniform: wgpu::Buffer,
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    sample: Pass,
    /// The frame before, which may still be under way.
    before: Option<wgpu::SubmissionIndex>,
}

/// A compute shader of the application, ready to run.
struct Pass {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 2],
}

impl Pass {
    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        let [x, y] = self.workgroups;
        pass.dispatch_workgroups(x, y, 1);
    }
}

impl Application {
    async fn new(target: &Picture, batch: u32, seed: u32) -> Result<Self, Box<dyn Error>> {
        let instance =
            wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions::default())
            .await
            .map_err(|error| format!("{error}; `--cpu` does without an adapter"))?;
        let descriptor = wgpu::DeviceDescriptor {
            required_features: adapter.features()
                & (wgpu::Features::SUBGROUP | wgpu::Features::SHADER_INT64),
            required_limits: adapter.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await?;
        let uniform = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("frame"),
            size: 16,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let picture = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("picture"),
            contents: bytemuck::cast_slice(&target.pixels),
            usage: wgpu::BufferUsages::STORAGE,
        });
        let x = storage(&device, u64::from(batch) * INPUTS as u64);
        let y = storage(&device, u64::from(batch) * 3);
        let buffers = [&uniform, &picture, &x, &y];
        let sample = pass(&device, "random_positions", &buffers, batch);
        Ok(Self {
            frame: [target.width, target.height, 0, seed],
            device,
            queue,
            uniform,
            x,
            y,
            sample,
            before: None,
        })
    }

    fn begin_frame(&mut self, number: u64) -> wgpu::CommandEncoder {
        self.frame[2] = number as u32;
        self.queue
            .write_buffer(&self.uniform, 0, bytemuck::cast_slice(&self.frame));
        let descriptor = wgpu::CommandEncoderDescriptor::default();
        self.device.create_command_encoder(&descriptor)
    }

    /// Submits a frame and waits for the one before, as a swap chain does.
    fn submit(&mut self, encoder: wgpu::CommandEncoder) -> Result<(), wgpu::PollError> {
        let submission = self.queue.submit([encoder.finish()]);
        if let Some(submission_index) = self.before.replace(submission) {
            self.device.poll(wgpu::PollType::Wait {
                submission_index: Some(submission_index),
                timeout: Some(std::time::Duration::from_secs(60)),
            })?;
        }
        Ok(())
    }

    /// The colours of all positions, part by part, from the network's buffer to the host.
    fn render(
        &mut self,
        network: &Network,
        gpu: &Gpu,
        target: &Picture,
    ) -> Result<Vec<f32>, ModelError> {
        let pixels = target.pixels.len() as u32;
        let x = storage(&self.device, u64::from(pixels) * INPUTS as u64);
        let y = storage(&self.device, 3);
        let picture = storage(&self.device, 3);
        let outputs = gpu.zeros("outputs", 3 * pixels as usize)?;
        let buffers = [&self.uniform, &picture, &x, &y];
        let positions = pass(&self.device, "all_positions", &buffers, pixels);
        let x = Matrix::new(&x, pixels, INPUTS as u32);
        let predict = network.predict_into(x, Matrix::new(&outputs, pixels, 3))?;
        let mut encoder = self.begin_frame(0);
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            positions.record(&mut pass);
            predict.record(&mut pass);
        }
        self.queue.submit([encoder.finish()]);
        Ok(gpu.read(&outputs)?)
    }
}

fn storage(device: &wgpu::Device, elements: u64) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4 * elements,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    })
}

fn pass(
    device: &wgpu::Device,
    entry_point: &str,
    buffers: &[&wgpu::Buffer; 4],
    threads: u32,
) -> Pass {
    let entries: Vec<_> = (0..)
        .zip(buffers)
        .map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        })
        .collect();
    let kind = |i: u32| match i {
        0 => wgpu::BufferBindingType::Uniform,
        i => wgpu::BufferBindingType::Storage { read_only: i == 1 },
    };
    let layout_entry = |binding| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: kind(binding),
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(entry_point),
        entries: &[0, 1, 2, 3].map(layout_entry),
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(entry_point),
        bind_group_layouts: &[Some(&layout)],
        ..wgpu::PipelineLayoutDescriptor::default()
    });
    let module = device.create_shader_module(wgpu::include_wgsl!("sample.wgsl"));
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry_point),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(entry_point),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(entry_point),
        layout: &layout,
        entries: &entries,
    });
    let workgroups = threads.div_ceil(64);
    let across = workgroups.min(1 << 15);
    Pass {
        pipeline,
        bindings,
        workgroups: [across, workgroups.div_ceil(across)],
    }
}
