//! Devices that are busy, and whether a driver lets anybody see that they are.

use std::io::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use wgpu_linear::Gpu;

use crate::support::gpu;

/// Elements to read: so many that the copy itself, which is what a read waits for, is under way
/// for some time, 64 MiB.
pub(crate) const LONG_READ: usize = 1 << 24;

/// Keeps a device busy.
pub(crate) struct Slow {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
}

impl Slow {
    /// Iterations that follow one from the other, no more than llvmpipe takes in a loop.
    const SHADER: &'static str = "
        @group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
            var value = i;
            for (var j = 0u; j < 60000u; j++) { value = value * 1664525u + x[64]; }
            x[i] = value;
        }";

    pub(crate) fn new(gpu: &Gpu) -> Self {
        let device = gpu.device().clone();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(Self::SHADER.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Self {
            device,
            queue: gpu.queue().clone(),
            pipeline,
        }
    }

    /// By as many dispatches as so many workgroups take.
    pub(crate) fn submit(&self, gpu: &Gpu, workgroups: u32) -> wgpu::SubmissionIndex {
        let buffer = gpu.upload("slow", &[1_013_904_223_u32; 65]).unwrap();
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: buffer.as_entire_binding(),
            }],
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            let most = self.device.limits().max_compute_workgroups_per_dimension;
            for first in (0..workgroups).step_by(most as usize) {
                pass.dispatch_workgroups(most.min(workgroups - first), 1, 1);
            }
        }
        self.queue.submit([encoder.finish()])
    }
}

/// As many workgroups as take three seconds here, or more where others compute.
pub(crate) fn slow_workgroups() -> u32 {
    static WORKGROUPS: OnceLock<u32> = OnceLock::new();
    *WORKGROUPS.get_or_init(|| {
        let slow = Slow::new(gpu());
        gpu().wait(slow.submit(gpu(), 1)).unwrap();
        // The fastest: others compute at the same time.
        let time = |workgroups: u32| {
            let run = |_| {
                let begin = Instant::now();
                gpu().wait(slow.submit(gpu(), workgroups)).unwrap();
                begin.elapsed().as_secs_f64()
            };
            (0..5).map(run).fold(f64::INFINITY, f64::min)
        };
        // So many that waiting for them does not count, and all processors have some.
        let mut probe = 64;
        while probe < 1 << 20 && time(probe) < 0.02 {
            probe *= 4;
        }
        (f64::from(probe) * 3.0 / time(probe)).max(64.0) as u32
    })
}

/// Whether a wait of wgpu's ends at its time-out while what was submitted before is computed.
///
/// It does not with Mesa's llvmpipe. Submissions of wgpu's wait for one another by binary
/// semaphores, and `vkQueueSubmit` of Mesa returns from such a wait no sooner than the thread of
/// the queue has taken up all that lies before, which on llvmpipe means: has computed it. So a
/// submission is late there only for what it computes itself.
pub(crate) fn waits_end_at_time_outs() -> bool {
    static ENDS: OnceLock<bool> = OnceLock::new();
    *ENDS.get_or_init(|| {
        let gpu = Gpu::new().unwrap();
        let slow = Slow::new(&gpu);
        gpu.wait(slow.submit(&gpu, 1)).unwrap();
        slow.submit(&gpu, slow_workgroups());
        let submission = slow.submit(&gpu, 1);
        let short = wgpu::PollType::Wait {
            submission_index: Some(submission.clone()),
            timeout: Some(Duration::from_secs(1)),
        };
        let waited = gpu.device().poll(short);
        gpu.wait(submission).unwrap();
        matches!(waited, Err(wgpu::PollError::Timeout))
    })
}

/// Where no time-out came: fails if this driver could have had one, and says what is not tested if
/// not, past the capture of tests that pass.
pub(crate) fn excuse_missing_time_out(what: &str) {
    assert!(!waits_end_at_time_outs(), "no time-out came: {what}");
    let told = format!(
        "SKIPPED: {what}, since {} is never busy when it is asked\n",
        gpu().description()
    );
    std::io::stderr().write_all(told.as_bytes()).unwrap();
}
