//! Compiled pipelines kept in a folder: nothing that is found there does harm.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use ndarray::array;
use wgpu_linear::model::{MlpConfig, Model, Targets};
use wgpu_linear::{Forward, Gpu, GpuOptions, LinearKernels, Matrix, nn, wgpu};

fn open(folder: &Path) -> Gpu {
    Gpu::open(&GpuOptions {
        pipelines: Some(folder.into()),
        ..GpuOptions::default()
    })
    .unwrap()
}

/// A training step on a device that keeps its pipelines in `folder`; its loss.
fn train(folder: &Path) -> f64 {
    let gpu = open(folder);
    let mut mlp = nn::Mlp::new(&gpu, MlpConfig::new(&[2, 8, 2])).unwrap();
    let x = array![[0.0, 0.5], [1.0, 0.25]];
    mlp.train_batch(x.view(), Targets::Classes(&[0, 1]))
        .unwrap();
    f64::from(mlp.take_loss().unwrap().mean)
}

/// The one file of `folder`.
fn kept(folder: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(folder).unwrap().collect();
    let [Ok(entry)] = &entries[..] else {
        panic!("{entries:?}");
    };
    entry.path()
}

/// Where the adapter has no such cache, there is nothing to test but that nothing fails.
fn is_there(folder: &Path) -> bool {
    let gpu = open(folder);
    gpu.device()
        .features()
        .contains(wgpu::Features::PIPELINE_CACHE)
}

#[test]
fn pipelines_are_kept_once_a_network_is_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("made/when/needed");
    let gpu = open(&below);
    if !is_there(&below) {
        return;
    }
    assert!(!below.exists(), "nothing to keep");
    let mut mlp = nn::Mlp::new(&gpu, MlpConfig::new(&[2, 8, 2])).unwrap();
    let x = array![[0.0, 0.5]];
    mlp.train_batch(x.view(), Targets::Classes(&[1])).unwrap();
    let path = kept(&below);
    let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
    assert!(
        text.starts_with("wgpu-linear pipelines, format 1\t"),
        "{text}"
    );
    assert!(
        text.contains(&gpu.device().adapter_info().driver_info),
        "{text}"
    );
    // Nothing new was compiled since, so nothing is written.
    fs::remove_file(&path).unwrap();
    drop((mlp, gpu));
    assert!(!path.exists());
}

#[test]
fn pipelines_of_operations_are_kept_when_the_device_goes() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = open(folder.path());
    let x = gpu.upload("x", &[2.0]).unwrap();
    let t = gpu.zeros("t", 1).unwrap();
    let kernels = LinearKernels::of(&gpu);
    let [x, t] = [&x, &t].map(|buffer| Matrix::new(buffer, 1, 1));
    let forward = kernels.forward(Forward {
        x,
        w: x,
        b: None,
        t,
    });
    gpu.run(&[forward.unwrap()]).unwrap();
    assert_eq!(gpu.read::<f32>(t.buffer).unwrap(), [4.0]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    drop((kernels, gpu));
    if is_there(folder.path()) {
        kept(folder.path());
    }
}

#[test]
fn a_file_that_has_everything_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    if !is_there(folder.path()) {
        return;
    }
    let path = kept(folder.path());
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(long_ago).unwrap();
    train(folder.path());
    // Drivers that put their data in another order, as SwiftShader does, write the same once more.
    if open(folder.path()).description().contains("llvmpipe") {
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), long_ago);
    }
}

#[test]
fn damaged_and_foreign_files_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let loss = train(folder.path());
    if !is_there(folder.path()) {
        return;
    }
    let path = kept(folder.path());
    let good = fs::read(&path).unwrap();
    let heading = good.iter().position(|byte| *byte == b'\n').unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        Vec::new(),
        b"something else".to_vec(),
        vec![0xff; 10_000],
        good[..heading].to_vec(),
        good[..heading + 5].to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], b"more"].concat(),
        // Another version or driver.
        flipped(40),
        flipped(heading - 1),
        // The checksum, wgpu's heading, and the driver's.
        flipped(heading + 1),
        flipped(heading + 12),
        flipped(good.len() - 1),
    ];
    for (i, bytes) in cases.iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        assert_eq!(train(folder.path()).to_bits(), loss.to_bits(), "{i}");
        let heading = &good[..=heading];
        assert!(fs::read(&path).unwrap().starts_with(heading), "{i}");
    }
}

#[test]
fn folders_that_cannot_be_used_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let loss = train(folder.path());
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    for path in [file.join("below"), "/dev/full/below".into(), file] {
        assert_eq!(train(&path).to_bits(), loss.to_bits(), "{path:?}");
    }
}

/// As root, tests see no permission errors; a file that others may write is another matter.
#[cfg(unix)]
#[test]
fn a_file_that_others_may_write_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    train(folder.path());
    if !is_there(folder.path()) {
        return;
    }
    let path = kept(folder.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    train(folder.path());
    // Replaced by one of our own.
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o022, 0, "{mode:o}");
}

#[test]
fn several_devices_keep_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let losses: Vec<_> = thread::scope(|scope| {
        let trains = [(); 4].map(|()| scope.spawn(|| train(folder.path()).to_bits()));
        trains
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(losses.iter().all(|loss| *loss == losses[0]));
    if is_there(folder.path()) {
        kept(folder.path());
        assert_eq!(train(folder.path()).to_bits(), losses[0]);
    }
}
