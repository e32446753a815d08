//! A multi-layer perceptron as a graph of operations.

use super::config::MlpConfig;
use super::loss::TargetKind;
use crate::events::{Graph, Node};
use crate::linear::Activation;

impl MlpConfig {
    /// The network as TensorBoard draws it: from the examples `x` through `layer1`, `layer2`, … to
    /// the `loss`, against the targets `y`.
    ///
    /// A layer holds its weights `w` and bias `b` and the operations `matmul`, `add_bias` and, but
    /// in the last layer, `activation`, with `dropout` behind it where there is any. The size of a batch is left open.
    ///
    /// ```
    /// use wgpu_linear::model::MlpConfig;
    ///
    /// let graph = MlpConfig::new(&[64, 10]).graph();
    /// let names: Vec<_> = graph.nodes().iter().map(|node| node.name()).collect();
    /// assert_eq!(names, ["x", "layer1/w", "layer1/b", "layer1/matmul", "layer1/add_bias", "y", "loss"]);
    /// ```
    #[must_use]
    pub fn graph(&self) -> Graph {
        let sizes: Vec<_> = self.layer_sizes.iter().map(|n| Some(*n as u64)).collect();
        let input = sizes.first().copied().flatten();
        let output = sizes.last().copied().flatten();
        let x = Node::new("x", "Placeholder").shape(&[None, input]);
        let mut graph = Graph::new().node(x);
        let mut end = String::from("x");
        let last = sizes.len().saturating_sub(1);
        for (layer, ends) in (1..).zip(sizes.windows(2)) {
            let activation = (layer < last).then_some(self.activation);
            let name = format!("layer{layer}");
            (graph, end) = add_layer(graph, &name, ends, &end, activation);
            if layer < last && self.dropout > 0.0 {
                let node = Node::new(&format!("{name}/dropout"), "Dropout").input(&end);
                let rate = self.dropout.to_string();
                graph = graph.node(node.attribute("rate", &rate).shape(&[None, ends[1]]));
                end = format!("{name}/dropout");
            }
        }
        let mut loss = Node::new("loss", &operation(self.loss.name()));
        if let Some((name, value)) = self.loss.parameter() {
            loss = loss.attribute(name, &value.to_string());
        }
        let targets = match self.loss.targets() {
            TargetKind::Classes => vec![None],
            TargetKind::Values => vec![None, output],
        };
        graph
            .node(Node::new("y", "Placeholder").shape(&targets))
            .node(loss.input(&end).input("y").shape(&[]))
    }
}

/// Adds a layer behind the node `x`, and says which node is its result.
fn add_layer(
    graph: Graph,
    name: &str,
    ends: &[Option<u64>],
    x: &str,
    activation: Option<Activation>,
) -> (Graph, String) {
    let named = |part: &str| format!("{name}/{part}");
    let outputs = ends[1];
    let result = |part: &str, op: &str| Node::new(&named(part), op).shape(&[None, outputs]);
    let graph = graph
        .node(Node::new(&named("w"), "Variable").shape(ends))
        .node(Node::new(&named("b"), "Variable").shape(&[outputs]))
        .node(result("matmul", "MatMul").input(x).input(&named("w")))
        .node(
            result("add_bias", "BiasAdd")
                .input(&named("matmul"))
                .input(&named("b")),
        );
    let Some(activation) = activation else {
        return (graph, named("add_bias"));
    };
    let mut node = result("activation", &operation(activation.name())).input(&named("add_bias"));
    if let Some((name, value)) = activation.parameter() {
        node = node.attribute(name, &value.to_string());
    }
    (graph.node(node), named("activation"))
}

/// A name as TensorFlow writes those of operations: `leaky_relu` is `LeakyRelu`.
fn operation(name: &str) -> String {
    let capitalised = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    name.split('_').map(capitalised).collect()
}
