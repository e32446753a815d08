//! From a network to a file.

use prost::Message;

use super::error::OnnxError;
use super::messages::{
    AttributeProto, AttributeType, Dimension, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
    data_type,
};
use super::network::{OnnxLayer, OnnxModel, Output, Standardisation};
use crate::model::Activation;

/// ONNX 1.15: the first with Gelu.
const OPSET: i64 = 20;
const IR_VERSION: i64 = 9;

/// The network as an ONNX file, for any number of rows.
///
/// # Errors
/// [`OnnxError::Model`] where layers make no network or hold numbers that are not finite,
/// [`OnnxError::Column`] where means and scales do not fit, [`OnnxError::Names`],
/// [`OnnxError::TooLarge`].
pub fn export(model: &OnnxModel) -> Result<Vec<u8>, OnnxError> {
    model.check()?;
    let file = ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph(model)),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        metadata_props: model.metadata_props(),
    };
    let bytes = file.encoded_len();
    if i32::try_from(bytes).is_err() {
        return Err(OnnxError::TooLarge { bytes });
    }
    Ok(file.encode_to_vec())
}

fn graph(model: &OnnxModel) -> GraphProto {
    let mut chain = Chain::new(model);
    if let Some(Standardisation { mean, scale }) = &model.input {
        chain.with_row("Sub", "centred", "input_mean", mean);
        chain.with_row("Div", "standardised", "input_scale", scale);
    }
    for (number, layer) in (1..).zip(&model.layers) {
        chain.layer(number, layer);
    }
    match &model.output {
        Output::Logits => {}
        Output::Softmax => chain.node("Softmax", "probabilities", &[], vec![int("axis", -1)]),
        Output::Sigmoid => chain.node("Sigmoid", "probabilities", &[], vec![]),
        Output::Values { mean, scale } => {
            chain.with_row("Mul", "scaled", "output_scale", scale);
            chain.with_row("Add", "values", "output_mean", mean);
        }
    }
    let columns = |layer: Option<&OnnxLayer>, axis: usize| {
        layer.map_or(0, |layer| layer.parameters.w.shape()[axis])
    };
    let [inputs, outputs] = [
        columns(model.layers.first(), 0),
        columns(model.layers.last(), 1),
    ];
    chain.end(&model.output_name);
    GraphProto {
        node: chain.nodes,
        name: "network".to_owned(),
        initializer: chain.tensors,
        input: vec![rows_of(&model.input_name, inputs)],
        output: vec![rows_of(&model.output_name, outputs)],
    }
}

/// Nodes, each of which takes what the one before computes.
struct Chain<'a> {
    /// The names that are not ours.
    taken: [&'a str; 2],
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
    /// What the last node computes.
    at: String,
}

impl<'a> Chain<'a> {
    fn new(model: &'a OnnxModel) -> Self {
        Self {
            taken: [&model.input_name, &model.output_name],
            nodes: Vec::new(),
            tensors: Vec::new(),
            at: model.input_name.clone(),
        }
    }

    fn layer(&mut self, number: usize, layer: &OnnxLayer) {
        let (w, b) = (&layer.parameters.w, &layer.parameters.b);
        let names = [format!("layer_{number}.w"), format!("layer_{number}.b")];
        let w = self.tensor(&names[0], &[w.nrows(), w.ncols()], w.iter());
        let b = self.tensor(&names[1], &[b.len()], b.iter());
        self.node("Gemm", &format!("layer_{number}.t"), &[w, b], vec![]);
        self.activation(layer.activation, &format!("layer_{number}.a"));
    }

    fn activation(&mut self, function: Activation, name: &str) {
        match function {
            Activation::Identity => {}
            Activation::Relu => self.node("Relu", name, &[], vec![]),
            Activation::LeakyRelu { slope } => {
                self.node("LeakyRelu", name, &[], vec![float("alpha", slope)]);
            }
            Activation::Tanh => self.node("Tanh", name, &[], vec![]),
            Activation::Sigmoid => self.node("Sigmoid", name, &[], vec![]),
            Activation::Gelu => {
                self.node("Gelu", name, &[], vec![string("approximate", "none")]);
            }
            Activation::Silu => {
                let t = self.at.clone();
                self.node("Sigmoid", &format!("{name}.gate"), &[], vec![]);
                self.node("Mul", name, &[t], vec![]);
            }
            Activation::Sine { frequency } => {
                let frequency = self.tensor(&format!("{name}.frequency"), &[], [frequency].iter());
                self.node("Mul", &format!("{name}.phase"), &[frequency], vec![]);
                self.node("Sin", name, &[], vec![]);
            }
            Activation::Softplus => self.node("Softplus", name, &[], vec![]),
        }
    }

    /// An operator on each row and a row of constants.
    fn with_row(&mut self, operator: &str, name: &str, constant: &str, values: &[f32]) {
        let constant = self.tensor(constant, &[values.len()], values.iter());
        self.node(operator, name, &[constant], vec![]);
    }

    /// `name` = operator(what came last, `others`).
    fn node(
        &mut self,
        operator: &str,
        name: &str,
        others: &[String],
        attribute: Vec<AttributeProto>,
    ) {
        let name = self.fresh(name);
        let before = std::mem::replace(&mut self.at, name.clone());
        self.nodes.push(NodeProto {
            input: [&[before], others].concat(),
            output: vec![name.clone()],
            name,
            op_type: operator.to_owned(),
            attribute,
            domain: String::new(),
        });
    }

    /// A constant; its name.
    fn tensor<'v>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl Iterator<Item = &'v f32>,
    ) -> String {
        let name = self.fresh(name);
        self.tensors.push(TensorProto {
            dims: shape.iter().map(|size| *size as i64).collect(),
            data_type: data_type::FLOAT,
            name: name.clone(),
            raw_data: values.flat_map(|value| value.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        name
    }

    /// A name that is neither that of the input nor that of the output.
    fn fresh(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.taken.contains(&name.as_str()) {
            name.push('_');
        }
        name
    }

    /// What was computed last gets this name.
    fn end(&mut self, name: &str) {
        if let Some(output) = self.nodes.last_mut().and_then(|n| n.output.first_mut()) {
            name.clone_into(output);
        }
    }
}

/// Any number of rows of f32.
fn rows_of(name: &str, columns: usize) -> ValueInfoProto {
    let batch = Dimension {
        dim_param: Some("batch".to_owned()),
        ..Dimension::default()
    };
    let columns = Dimension {
        dim_value: Some(columns as i64),
        ..Dimension::default()
    };
    let tensor_type = TensorType {
        elem_type: data_type::FLOAT,
        shape: Some(TensorShapeProto {
            dim: vec![batch, columns],
        }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor_type),
        }),
    }
}

fn attribute(name: &str, r#type: AttributeType) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: r#type.into(),
        ..AttributeProto::default()
    }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto {
        f: Some(f),
        ..attribute(name, AttributeType::Float)
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        i: Some(i),
        ..attribute(name, AttributeType::Int)
    }
}

fn string(name: &str, s: &str) -> AttributeProto {
    AttributeProto {
        s: s.as_bytes().to_vec(),
        ..attribute(name, AttributeType::String)
    }
}
