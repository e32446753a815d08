//! A graph whose nodes are found by what they compute.

use std::cell::Cell;
use std::collections::HashMap;

use super::error::OnnxError;
use super::messages::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// The nodes and constants of a graph by name, and its two ends.
pub(super) struct Graph<'a> {
    pub(super) input: &'a str,
    pub(super) output: &'a str,
    nodes: HashMap<&'a str, &'a NodeProto>,
    tensors: HashMap<&'a str, &'a TensorProto>,
    /// How many numbers may still be read.
    budget: Cell<usize>,
}

impl<'a> Graph<'a> {
    /// The graph of a file of `bytes` bytes.
    ///
    /// A constant may be used by any number of nodes, each of which has a copy. So that a small file
    /// does not fill the memory, at most four times as many numbers are read as it has bytes; where
    /// no constant is shared, a quarter is enough.
    pub(super) fn new(graph: &'a GraphProto, bytes: usize) -> Result<Self, OnnxError> {
        let outputs_of =
            |node: &'a NodeProto| node.output.iter().map(move |name| (&name[..], node));
        let nodes: HashMap<_, _> = graph.node.iter().flat_map(outputs_of).collect();
        let tensors: HashMap<_, _> = graph
            .initializer
            .iter()
            .map(|tensor| (&tensor.name[..], tensor))
            .collect();
        // Old files name constants among the inputs too.
        let inputs = graph.input.iter().map(|value| &value.name[..]);
        let inputs: Vec<&str> = inputs.filter(|name| !tensors.contains_key(name)).collect();
        let outputs = graph.output.iter().map(|value| &value.name[..]).collect();
        Ok(Self {
            input: only("inputs", inputs)?,
            output: only("outputs", outputs)?,
            nodes,
            tensors,
            budget: Cell::new(bytes.saturating_mul(4)),
        })
    }

    /// The node that computes a value.
    pub(super) fn node(&self, value: &str) -> Option<&'a NodeProto> {
        self.nodes.get(value).copied()
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&'a TensorProto> {
        self.tensors.get(name).copied()
    }

    /// Takes this many numbers off what may be read.
    pub(super) fn spend(&self, numbers: usize, tensor: &str) -> Result<(), OnnxError> {
        let left = self.budget.get().checked_sub(numbers);
        let left = left.ok_or_else(|| OnnxError::Tensor {
            tensor: tensor.to_owned(),
            reason: "is used so often that the network is far larger than its file".to_owned(),
        })?;
        self.budget.set(left);
        Ok(())
    }

    /// No way through the graph is longer.
    pub(super) fn longest_way(&self) -> usize {
        self.nodes.len()
    }
}

fn only<'a>(what: &'static str, names: Vec<&'a str>) -> Result<&'a str, OnnxError> {
    match names[..] {
        [name] => Ok(name),
        _ => Err(OnnxError::Ends {
            what,
            names: names.into_iter().map(str::to_owned).collect(),
        }),
    }
}

/// Whether these are the operators of ONNX itself.
pub(super) fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// The operator of a node; none where it is not one of ONNX itself.
pub(super) fn operator(node: &NodeProto) -> &str {
    if is_standard(&node.domain) {
        &node.op_type
    } else {
        ""
    }
}

/// The value that a node takes at this place; empty where it takes none.
pub(super) fn input(node: &NodeProto, place: usize) -> &str {
    node.input.get(place).map_or("", |name| name)
}

pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute
        .iter()
        .find(|attribute| attribute.name == name)
}

/// A float attribute, or what it is where it is not given.
pub(super) fn float(node: &NodeProto, name: &str, default: f32) -> f32 {
    attribute(node, name).map_or(default, |attribute| attribute.f.unwrap_or(0.0))
}

/// A whole attribute, or what it is where it is not given.
pub(super) fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i.unwrap_or(0))
}

/// The error of a node that no layer can stand for.
pub(super) fn unsupported(node: &NodeProto, reason: &'static str) -> OnnxError {
    OnnxError::Unsupported {
        node: name_of(node),
        operator: full_operator(node),
        reason,
    }
}

/// The error of a node that takes a constant of a wrong shape.
pub(super) fn misshapen(node: &NodeProto, expected: &str, actual: &[usize]) -> OnnxError {
    OnnxError::Shape {
        node: name_of(node),
        operator: full_operator(node),
        expected: expected.to_owned(),
        actual: actual.to_vec(),
    }
}

fn name_of(node: &NodeProto) -> String {
    match node.output.first() {
        Some(output) if node.name.is_empty() => output.clone(),
        _ => node.name.clone(),
    }
}

fn full_operator(node: &NodeProto) -> String {
    if is_standard(&node.domain) {
        node.op_type.clone()
    } else {
        format!("{}::{}", node.domain, node.op_type)
    }
}
