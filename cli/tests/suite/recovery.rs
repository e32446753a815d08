//! A training whose GPU fails.

use std::path::Path;

use wgpu_linear::model::{LayerParameters, Model};
use wgpu_linear::train::checkpoint::Checkpoints;
use wgpu_linear_cli::CliError;
use wgpu_linear_cli::config::{Device, Settings};
use wgpu_linear_cli::device::Place;
use wgpu_linear_cli::output::Output;
use wgpu_linear_cli::stop::Stop;
use wgpu_linear_cli::training::{
    Finished, Trained, network, prepare, spelled_out, train, with_split,
};

use crate::command::data;
use crate::failing::{Failing, Fault};

const QUIET: Output = Output {
    json: false,
    quiet: true,
};

/// A training in `out`, whose device is destroyed in place of this step, if there is one; what it
/// has brought, and the weights.
fn run(
    out: &Path,
    recover: u32,
    destroyed_at: Option<usize>,
) -> Result<(Finished, Vec<LayerParameters>), CliError> {
    let mut said = Settings::parse(
        "[network]\nhidden = [\"8\"]\n[training]\nepochs = 3\n[run]\ncheckpoint-every = 2\n",
    )
    .unwrap();
    said.data.path = Some(data("iris.csv"));
    said.run.recover = Some(recover);
    let said = with_split(said, false);
    let data = prepare(&said)?;
    let settings = spelled_out(said, &data);
    let mut place = Place::open(Device::Gpu, QUIET)?;
    let device = place.gpu().unwrap().device().clone();
    let fault = destroyed_at.map(|at| Fault {
        of: Some("train_next"),
        at,
        after: false,
        lasts: false,
        strike: Box::new(move || {
            device.destroy();
            Ok(())
        }),
    });
    let inner = place.network(network(&settings, &data)?)?;
    let mut model: Box<dyn Model> = Box::new(Failing::new(inner, fault));
    let trained = Trained {
        model: &mut model,
        place: &mut place,
    };
    let finished = train(
        &settings,
        &data,
        trained,
        out,
        None,
        &Stop::default(),
        QUIET,
    )?;
    // What comes after a training finds a device that is there.
    place.network(network(&settings, &data)?)?;
    Ok((finished, model.parameters().unwrap()))
}

#[test]
fn a_gpu_that_fails_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (finished, expected) = run(&folder.path().join("a"), 3, None).unwrap();
    assert_eq!(finished.summary.recoveries, 0);
    let steps = finished.summary.steps as usize;
    for at in [0, steps / 2, steps - 1] {
        let out = folder.path().join(at.to_string());
        let (finished, parameters) = run(&out, 1, Some(at)).unwrap();
        assert_eq!(finished.summary.recoveries, 1, "{at}");
        assert!(parameters == expected, "{at}");
    }
}

#[test]
fn a_gpu_that_is_gone_leaves_a_checkpoint_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let healthy = run(&folder.path().join("healthy"), 0, None).unwrap();
    let steps = healthy.0.summary.steps as usize;
    // Behind the checkpoint of two epochs, and before it.
    for (at, has_checkpoint) in [(steps - 1, true), (1, false)] {
        let out = folder.path().join(at.to_string());
        let Err(CliError::Failure(why)) = run(&out, 0, Some(at)) else {
            panic!("it recovered");
        };
        assert!(why.starts_with("the GPU device was lost"), "{why}");
        let resume = format!("; to go on: wgpu-linear train --resume {}", out.display());
        assert_eq!(why.contains(&resume), has_checkpoint, "{why}");
        let latest = Checkpoints::latest(out.join("checkpoints")).unwrap();
        assert_eq!(latest.is_some(), has_checkpoint);
    }
}
