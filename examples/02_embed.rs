//! A linear layer inside an application that already owns a wgpu device, its buffers and its
//! encoder: `cargo run --release --example 02_embed`.
//!
//! The application draws points on a circle with a shader of its own, the layer turns them by 90
//! degrees and moves them, and the application copies the result back. All of it is one encoder,
//! one compute pass and one submission; nothing of the application's device is created or changed
//! by the crate.

use wgpu_linear::wgpu::{self, util::DeviceExt};
use wgpu_linear::{Forward, LinearKernels, Matrix, Vector};

const POINTS: u32 = 8;

const CIRCLE: &str = "
@group(0) @binding(0) var<storage, read_write> points: array<vec2<f32>>;

@compute @workgroup_size(64)
fn circle(@builtin(global_invocation_id) id: vec3<u32>) {
    let count = arrayLength(&points);
    if id.x < count {
        let angle = 6.2831853 * f32(id.x) / f32(count);
        points[id.x] = vec2<f32>(cos(angle), sin(angle));
    }
}
";

/// What the application has had all along.
struct Application {
    device: wgpu::Device,
    queue: wgpu::Queue,
    points: wgpu::Buffer,
    circle: wgpu::ComputePipeline,
    circle_bindings: wgpu::BindGroup,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = pollster::block_on(Application::new())?;
    let Application { device, points, .. } = &app;

    // Once: weights, the result, and the prepared operation.
    let w = storage(device, &[0.0, 1.0, -1.0, 0.0]); // (x, y) becomes (−y, x)
    let b = storage(device, &[10.0, 0.0]);
    let moved = storage(device, &[0.0; 2 * POINTS as usize]);
    let kernels = LinearKernels::new(device);
    let layer = kernels.forward(Forward {
        x: Matrix::new(points, POINTS, 2),
        w: Matrix::new(&w, 2, 2),
        b: Some(Vector::new(&b, 2)),
        t: Matrix::new(&moved, POINTS, 2),
    })?;

    // Every frame: record it between the application's own work. wgpu orders dispatches that depend
    // on each other.
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&app.circle);
        pass.set_bind_group(0, &app.circle_bindings, &[]);
        pass.dispatch_workgroups(POINTS.div_ceil(64), 1, 1);
        layer.record(&mut pass);
    }
    let download = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("download"),
        size: moved.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    encoder.copy_buffer_to_buffer(&moved, 0, &download, 0, moved.size());
    app.queue.submit([encoder.finish()]);

    download.map_async(wgpu::MapMode::Read, .., |_| {});
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let bytes = download.get_mapped_range(..)?;
    for (i, point) in bytemuck::pod_collect_to_vec::<u8, [f32; 2]>(&bytes)
        .iter()
        .enumerate()
    {
        println!("point {i}: {:7.3} {:7.3}", point[0], point[1]);
    }
    Ok(())
}

impl Application {
    async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let instance =
            wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions::default())
            .await?;
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor::default())
            .await?;
        let points = storage(&device, &[0.0; 2 * POINTS as usize]);
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("circle"),
            source: wgpu::ShaderSource::Wgsl(CIRCLE.into()),
        });
        let circle = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("circle"),
            layout: None,
            module: &module,
            entry_point: Some("circle"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let circle_bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("circle"),
            layout: &circle.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: points.as_entire_binding(),
            }],
        });
        Ok(Self {
            device,
            queue,
            points,
            circle,
            circle_bindings,
        })
    }
}

fn storage(device: &wgpu::Device, contents: &[f32]) -> wgpu::Buffer {
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(contents),
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
    })
}
