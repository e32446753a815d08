//! Networks as graphs of operations. How a graph is stored is a matter of the crate `tfevents`, and
//! of its tests.

use wgpu_linear::events::{Graph, Node};
use wgpu_linear::model::{Activation, Loss, MlpConfig};

#[test]
fn graph_of_a_network_leads_from_the_examples_to_the_loss() {
    let config = MlpConfig {
        activation: Activation::LeakyRelu { slope: 0.25 },
        loss: Loss::MeanSquaredError,
        ..MlpConfig::new(&[5, 7, 3])
    };
    let expected = Graph::new()
        .node(Node::new("x", "Placeholder").shape(&[None, Some(5)]))
        .node(Node::new("layer1/w", "Variable").shape(&[Some(5), Some(7)]))
        .node(Node::new("layer1/b", "Variable").shape(&[Some(7)]))
        .node(
            Node::new("layer1/matmul", "MatMul")
                .input("x")
                .input("layer1/w")
                .shape(&[None, Some(7)]),
        )
        .node(
            Node::new("layer1/add_bias", "BiasAdd")
                .input("layer1/matmul")
                .input("layer1/b")
                .shape(&[None, Some(7)]),
        )
        .node(
            Node::new("layer1/activation", "LeakyRelu")
                .input("layer1/add_bias")
                .attribute("slope", "0.25")
                .shape(&[None, Some(7)]),
        )
        .node(Node::new("layer2/w", "Variable").shape(&[Some(7), Some(3)]))
        .node(Node::new("layer2/b", "Variable").shape(&[Some(3)]))
        .node(
            Node::new("layer2/matmul", "MatMul")
                .input("layer1/activation")
                .input("layer2/w")
                .shape(&[None, Some(3)]),
        )
        .node(
            Node::new("layer2/add_bias", "BiasAdd")
                .input("layer2/matmul")
                .input("layer2/b")
                .shape(&[None, Some(3)]),
        )
        .node(Node::new("y", "Placeholder").shape(&[None, Some(3)]))
        .node(
            Node::new("loss", "MeanSquaredError")
                .input("layer2/add_bias")
                .input("y")
                .shape(&[]),
        );
    assert_eq!(config.graph(), expected);
}

#[test]
fn graph_of_a_network_follows_its_settings() {
    let operations = [
        (Activation::Identity, "Identity"),
        (Activation::Relu, "Relu"),
        (Activation::Tanh, "Tanh"),
        (Activation::Sigmoid, "Sigmoid"),
        (Activation::Gelu, "Gelu"),
    ];
    for (activation, op) in operations {
        let graph = MlpConfig {
            activation,
            ..MlpConfig::new(&[2, 3, 4])
        }
        .graph();
        let node = |name| {
            graph
                .nodes()
                .iter()
                .find(|node| node.name() == name)
                .unwrap()
        };
        assert_eq!(node("layer1/activation").op(), op);
        assert_eq!(node("loss").op(), "SoftmaxCrossEntropy");
        assert_eq!(node("loss").inputs(), ["layer2/add_bias", "y"]);
    }
    // Sizes that make no network are drawn as far as they go.
    for sizes in [&[][..], &[3]] {
        assert_eq!(MlpConfig::new(sizes).graph().nodes().len(), 3);
    }
}

#[test]
fn graph_shows_dropout_behind_hidden_layers() {
    let config = MlpConfig {
        dropout: 0.25,
        ..MlpConfig::new(&[5, 7, 6, 3])
    };
    let graph = config.graph();
    let dropouts: Vec<_> = graph
        .nodes()
        .iter()
        .filter(|node| node.name().ends_with("dropout"))
        .cloned()
        .collect();
    let dropout = |layer: &str, size| {
        Node::new(&format!("{layer}/dropout"), "Dropout")
            .input(&format!("{layer}/activation"))
            .attribute("rate", "0.25")
            .shape(&[None, Some(size)])
    };
    assert_eq!(dropouts, [dropout("layer1", 7), dropout("layer2", 6)]);
    let takes = |name: &str, input: &str| {
        let node = graph
            .nodes()
            .iter()
            .find(|node| node.name() == name)
            .unwrap();
        node.inputs().iter().any(|other| other == input)
    };
    assert!(takes("layer2/matmul", "layer1/dropout"));
    assert!(takes("layer3/matmul", "layer2/dropout"));
}
