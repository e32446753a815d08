//! From the stages of a graph to a network.

use super::affine::{self, Operator, Step, fit};
use super::error::OnnxError;
use super::graph::{misshapen, unsupported};
use super::messages::NodeProto;
use super::network::{OnnxLayer, OnnxModel, Output};
use super::stage::{Placed, Stage};
use crate::model::{Activation, LayerParameters};

/// A network that grows stage by stage.
struct Network<'a> {
    model: OnnxModel,
    /// Arithmetic behind the last layer, or before the first, and the last node of it.
    steps: Vec<Step>,
    last: Option<&'a NodeProto>,
    /// Whether the last layer still waits for its bias.
    lacks_bias: bool,
}

pub(super) fn assemble(stages: Vec<Placed<'_>>) -> Result<OnnxModel, OnnxError> {
    let mut network = Network {
        model: OnnxModel::of_layers(Vec::new()),
        steps: Vec::new(),
        last: None,
        lacks_bias: false,
    };
    let count = stages.len();
    for (number, (stage, node)) in (1..).zip(stages) {
        network.add(stage, node, number == count)?;
    }
    network.end()
}

impl<'a> Network<'a> {
    fn add(&mut self, stage: Stage, node: &'a NodeProto, is_last: bool) -> Result<(), OnnxError> {
        match stage {
            Stage::Affine(step) => self.arithmetic(step, node),
            Stage::Linear(parameters, has_bias) => self.linear(parameters, has_bias, node),
            Stage::Activation(Activation::Sigmoid) if is_last => self.output(Output::Sigmoid, node),
            Stage::Softmax if is_last => self.output(Output::Softmax, node),
            Stage::Softmax => Err(unsupported(node, "not at the end")),
            Stage::Activation(function) => self.activation(function, node),
        }
    }

    /// Kept until it is known what comes behind it; but the first Add behind a product is its bias.
    fn arithmetic(&mut self, step: Step, node: &'a NodeProto) -> Result<(), OnnxError> {
        if let Some(layer) = self.model.layers.last_mut() {
            let columns = layer.parameters.w.ncols();
            if !fit(std::slice::from_ref(&step), columns) {
                return Err(misfit(node, columns, &step));
            }
            if std::mem::take(&mut self.lacks_bias) && step.operator == Operator::Add {
                affine::fold(&[step], &mut layer.parameters);
                return Ok(());
            }
        }
        self.steps.push(step);
        self.last = Some(node);
        Ok(())
    }

    fn linear(
        &mut self,
        parameters: LayerParameters,
        has_bias: bool,
        node: &'a NodeProto,
    ) -> Result<(), OnnxError> {
        let inputs = parameters.w.nrows();
        match self.model.layers.last() {
            Some(before) if before.parameters.w.ncols() != inputs => {
                let expected = format!("{} rows", before.parameters.w.ncols());
                return Err(misshapen(node, &expected, parameters.w.shape()));
            }
            Some(_) => self.fold()?,
            None => self.standardise(inputs)?,
        }
        self.model.layers.push(OnnxLayer {
            parameters,
            activation: Activation::Identity,
        });
        self.lacks_bias = !has_bias;
        Ok(())
    }

    /// Arithmetic before the first layer.
    fn standardise(&mut self, inputs: usize) -> Result<(), OnnxError> {
        let steps = std::mem::take(&mut self.steps);
        let Some(node) = self.last.take() else {
            return Ok(());
        };
        if let Some(step) = steps
            .iter()
            .find(|s| !fit(std::slice::from_ref(*s), inputs))
        {
            return Err(misfit(node, inputs, step));
        }
        self.model.input = Some(affine::standardisation(&steps, inputs)?);
        Ok(())
    }

    /// Arithmetic between a linear layer and what follows.
    fn fold(&mut self) -> Result<(), OnnxError> {
        let steps = std::mem::take(&mut self.steps);
        if let (Some(node), Some(layer)) = (self.last.take(), self.model.layers.last_mut()) {
            if layer.activation != Activation::Identity {
                return Err(unsupported(node, "between an activation and what follows"));
            }
            affine::fold(&steps, &mut layer.parameters);
        }
        Ok(())
    }

    fn activation(&mut self, function: Activation, node: &'a NodeProto) -> Result<(), OnnxError> {
        self.fold()?;
        self.lacks_bias = false;
        match self.model.layers.last_mut() {
            Some(layer) if layer.activation == Activation::Identity => {
                layer.activation = function;
                Ok(())
            }
            Some(_) => Err(unsupported(node, "a second activation behind one layer")),
            None => Err(unsupported(node, "before the first linear layer")),
        }
    }

    fn output(&mut self, output: Output, node: &'a NodeProto) -> Result<(), OnnxError> {
        if self.model.layers.is_empty() {
            return Err(unsupported(node, "before the first linear layer"));
        }
        self.fold()?;
        self.model.output = output;
        Ok(())
    }

    fn end(mut self) -> Result<OnnxModel, OnnxError> {
        let last = self.model.layers.last().ok_or(OnnxError::NoLayers)?;
        if !self.steps.is_empty() {
            let columns = last.parameters.w.ncols();
            let [mean, scale] = affine::values(&self.steps, columns)?;
            self.model.output = Output::Values { mean, scale };
        }
        Ok(self.model)
    }
}

fn misfit(node: &NodeProto, columns: usize, step: &Step) -> OnnxError {
    misshapen(node, &format!("a row of {columns}"), &step.constant.shape)
}
