//! ONNX files as other programs write them.

use half::{bf16, f16};
use ndarray::{Array2, array};
use wgpu_linear::exchange::onnx::{self, OnnxError, OnnxModel, Output};
use wgpu_linear::model::{Activation, LayerParameters};

use super::build::{
    Graph, Message, float, floats, int, ints, raw, string, tensor_attribute, tensor_of,
};
use super::{difference, outputs};

fn read(graph: Graph) -> OnnxModel {
    onnx::import(&graph.file()).unwrap()
}

/// The error's message.
#[track_caller]
fn refused(graph: Graph) -> String {
    match onnx::import(&graph.file()) {
        Ok(model) => panic!("read as {model:?}"),
        Err(error) => error.to_string(),
    }
}

fn w() -> Array2<f32> {
    array![[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]]
}

/// The layer of [`Graph::linear`].
fn layer() -> LayerParameters {
    LayerParameters {
        w: w(),
        b: array![0.5, -0.25, 1.0],
    }
}

#[test]
fn linear_layers_are_read_in_every_form() {
    let linear = || Graph::new().linear("x", "y");
    assert_eq!(read(linear()).parameters(), [layer()]);
    let transposed = [1.0, 0.25, -2.0, 3.0, 0.5, -1.0];
    let with_b = |b: f32| LayerParameters {
        b: array![b, b, b],
        ..layer()
    };
    let attributes = [int("transB", 1), float("alpha", 2.0), float("beta", -1.0)];
    let gemm = Graph::new()
        .constant("w", &[3, 2], &transposed)
        .constant("b", &[1, 1], &[3.0])
        .node("Gemm x w b y", &attributes);
    let twice = LayerParameters {
        w: w() * 2.0,
        ..with_b(-3.0)
    };
    assert_eq!(read(gemm).parameters(), [twice]);
    let matmul = || Graph::new().constant("w", &[2, 3], w().as_slice().unwrap());
    let alone = matmul().node("MatMul x w y", &[]);
    assert_eq!(read(alone).parameters(), [with_b(0.0)]);
    let added = matmul().constant("b", &[1, 3], &[0.5, -0.25, 1.0]);
    let added = added.node("Add b t y", &[]).node("MatMul x w t", &[]);
    assert_eq!(read(added.clone()).parameters(), [layer()]);
    assert_eq!(read(added).output, Output::Logits);
    let transpose = Graph::new()
        .constant("v", &[3, 2], &transposed)
        .node("Transpose v u", &[ints("perm", &[1, 0])])
        .node("Identity u w", &[])
        .node("MatMul x w y", &[]);
    assert_eq!(read(transpose).parameters(), [with_b(0.0)]);
    let no_bias = matmul().node("Gemm x w y", &[]);
    assert_eq!(read(no_bias).parameters(), [with_b(0.0)]);
}

#[test]
fn constants_are_read_in_every_type_and_place() {
    let values = w();
    let of_type = |tensor: Message| read(Graph::new().tensor(tensor).node("MatMul x w y", &[]));
    let packed = |bytes: Vec<u8>, kind, field| tensor_of("w", &[2, 3], kind).bytes(field, &bytes);
    let f32s = || values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let f64s = || values.iter().flat_map(|v| f64::from(*v).to_le_bytes());
    let halves = || values.iter().map(|v| f16::from_f32(*v));
    let brains = || values.iter().map(|v| bf16::from_f32(*v));
    let mut bits = Message::default();
    let mut unpacked = tensor_of("w", &[2, 3], 1);
    for (half, v) in halves().zip(&values) {
        // Field 0 writes its key, a byte, in front: that is left out.
        bits.0
            .extend(&Message::default().int(0, i64::from(half.to_bits())).0[1..]);
        unpacked = unpacked.float(4, *v);
    }
    for tensor in [
        packed(f32s(), 1, 9),
        packed(f32s(), 1, 4),
        unpacked,
        packed(f64s().collect(), 11, 9),
        packed(f64s().collect(), 11, 10),
        packed(halves().flat_map(f16::to_le_bytes).collect(), 10, 9),
        packed(bits.0, 10, 5),
        packed(brains().flat_map(bf16::to_le_bytes).collect(), 16, 9),
    ] {
        assert_eq!(of_type(tensor).layers[0].parameters.w, values);
    }
    let node = Graph::new()
        .node(
            "Constant w",
            &[tensor_attribute(
                "value",
                raw("", &[2, 3], values.as_slice().unwrap()),
            )],
        )
        .node("Constant c", &[floats("value_floats", &[1.0, 2.0, 3.0])])
        .node("Constant s", &[float("value_float", 4.0)])
        .node("Cast c b", &[int("to", 1)])
        .node("MatMul x w t", &[])
        .node("Add t b u", &[])
        .node("Mul s u v", &[])
        .node("Relu v y", &[]);
    let model = read(node);
    let [layer] = &model.parameters()[..] else {
        panic!("{model:?}")
    };
    assert_eq!(layer.w, values * 4.0);
    assert_eq!(layer.b, array![4.0, 8.0, 12.0]);
}

#[test]
fn what_changes_nothing_is_passed_over() {
    let graph = Graph::new()
        .node("Flatten x a", &[])
        .node("Cast a c", &[int("to", 1)])
        .linear("c", "d")
        .node("Dropout d e", &[])
        .node("Relu e f", &[])
        .node("Identity f y", &[])
        // Nothing needs it.
        .node("Quack x elsewhere", &[]);
    let model = read(graph);
    assert_eq!(model.parameters(), [layer()]);
    assert_eq!(model.layers[0].activation, Activation::Relu);
    assert_eq!((&model.input_name[..], &model.output_name[..]), ("x", "y"));
}

#[test]
fn activations_are_read_in_every_form() {
    let behind = |nodes: &[&str]| {
        let graph = Graph::new().linear("x", "t");
        let graph = graph
            .constant("half", &[], &[0.5])
            .constant("one", &[1], &[1.0])
            .constant("root", &[], &[std::f32::consts::SQRT_2])
            .constant("over", &[], &[std::f32::consts::FRAC_1_SQRT_2])
            .constant("thirty", &[], &[30.0]);
        let model = read(nodes.iter().fold(graph, |g, node| g.node(node, &[])));
        assert_eq!((&model.output, model.layers.len()), (&Output::Logits, 1));
        assert_eq!(model.parameters(), [layer()], "{nodes:?}");
        model.layers[0].activation
    };
    let erf = ["Div t root r", "Erf r e", "Add e one g"];
    let with = |others: &[&'static str]| [&erf, others].concat();
    let other_erf = [
        "Mul over t r",
        "Erf r e",
        "Add one e g",
        "Mul t g q",
        "Mul q half y",
    ];
    for nodes in [
        with(&["Mul t g q", "Mul half q y"]),
        with(&["Mul half t q", "Mul q g y"]),
        with(&["Mul g half q", "Mul q t y"]),
        other_erf.to_vec(),
    ] {
        assert_eq!(behind(&nodes), Activation::Gelu);
    }
    assert_eq!(behind(&["Sigmoid t s", "Mul t s y"]), Activation::Silu);
    assert_eq!(behind(&["Sigmoid t s", "Mul s t y"]), Activation::Silu);
    assert_eq!(behind(&["Swish t y"]), Activation::Silu);
    let choice = ["Softplus t p", "Greater t thirty c", "Where c t p y"];
    assert_eq!(behind(&choice), Activation::Softplus);
    assert_eq!(behind(&["Gelu t y"]), Activation::Gelu);
    let slope = 0.01;
    assert_eq!(behind(&["LeakyRelu t y"]), Activation::LeakyRelu { slope });
    let sine = |frequency| Activation::Sine { frequency };
    assert_eq!(behind(&["Sin t y"]), sine(1.0));
    assert_eq!(behind(&["Mul thirty t p", "Sin p y"]), sine(30.0));
}

/// t is itself a product, so that a product of three is not taken apart too far.
#[test]
fn a_gate_behind_a_gate_is_read_as_two_layers() {
    let graph = Graph::new()
        .linear("x", "t")
        .node("Sigmoid t s", &[])
        .node("Mul t s a", &[])
        .constant("v", &[3, 1], &[1.0, 2.0, 3.0])
        .node("MatMul a v m", &[])
        .constant("two", &[], &[2.0])
        .node("Mul m two u", &[])
        .node("Sigmoid u g", &[])
        .node("Mul g u y", &[]);
    let model = read(graph);
    let functions: Vec<_> = model.layers.iter().map(|layer| layer.activation).collect();
    assert_eq!(functions, [Activation::Silu; 2]);
    assert_eq!(model.parameters()[1].w, array![[2.0], [4.0], [6.0]]);
}

#[test]
fn arithmetic_around_the_layers_is_read_as_what_it_does() {
    let x = array![[1.5, -2.0], [0.25, 3.0]];
    let rows = |values: [f32; 2]| values;
    let graph = |nodes: &[&str]| {
        let graph = Graph::new()
            .constant("p", &[2], &rows([2.0, -4.0]))
            .constant("q", &[1, 2], &rows([0.5, 8.0]))
            .constant("k", &[], &[3.0])
            .constant("r", &[3], &[1.0, 2.0, -3.0])
            .constant("w", &[2, 3], w().as_slice().unwrap())
            .constant("b", &[3], &[0.5, -0.25, 1.0]);
        nodes.iter().fold(graph, |g, node| g.node(node, &[]))
    };
    // What it should compute, with z what comes into the layer and t what leaves it.
    type Function = fn(f64, usize) -> f64;
    let p = [2.0, -4.0];
    let cases: [(&[&str], Function, Function); 6] = [
        (
            &["Sub x p a", "Div a q z"],
            |x, j| (x - [2.0, -4.0][j]) / [0.5, 8.0][j],
            |t, _| t,
        ),
        (
            &["Mul x p a", "Add q a z"],
            |x, j| x * [2.0, -4.0][j] + [0.5, 8.0][j],
            |t, _| t,
        ),
        (&["Sub p x z"], |x, j| [2.0, -4.0][j] - x, |t, _| t),
        (
            &["Div x k z", "Mul t k s", "Relu s y"],
            |x, _| x / 3.0,
            |t, _| (3.0 * t).max(0.0),
        ),
        (
            &["Identity x z", "Mul t r s", "Add s k y"],
            |x, _| x,
            |t, j| t * [1.0, 2.0, -3.0][j] + 3.0,
        ),
        (
            &["Identity x z", "Sub k t s", "Sub s r u", "Sigmoid u y"],
            |x, _| x,
            |t, j| 1.0 / (1.0 + (-(3.0 - t - [1.0, 2.0, -3.0][j])).exp()),
        ),
    ];
    assert_eq!(p.len(), x.ncols());
    for (nodes, before, behind) in cases {
        let end = if nodes.iter().any(|node| node.ends_with(" y")) {
            "Gemm z w b t"
        } else {
            "Gemm z w b y"
        };
        let model = read(graph(&[nodes, &[end]].concat()));
        let z = Array2::from_shape_fn(x.dim(), |(i, j)| before(f64::from(x[[i, j]]), j));
        let t = z.dot(&w().mapv(f64::from)) + &layer().b.mapv(f64::from);
        let expected = Array2::from_shape_fn(t.dim(), |(i, j)| behind(t[[i, j]], j));
        let error = difference(&outputs(&model, &x), &expected);
        assert!(error <= 1e-6, "{nodes:?}: {error}");
    }
}

#[test]
fn ends_of_a_graph_are_read_as_outputs() {
    let end = |words: &str, attributes: &[Message]| {
        read(Graph::new().linear("x", "t").node(words, attributes)).output
    };
    assert_eq!(end("Softmax t y", &[]), Output::Softmax);
    assert_eq!(end("Softmax t y", &[int("axis", 1)]), Output::Softmax);
    assert_eq!(end("Sigmoid t y", &[]), Output::Sigmoid);
    assert_eq!(end("Tanh t y", &[]), Output::Logits);
    // Twice a SiLU is none.
    let twice = Graph::new().linear("x", "t").constant("two", &[], &[2.0]);
    let twice = twice.node("Sigmoid t s", &[]).node("Mul s t a", &[]);
    let twice = read(twice.node("Mul two a y", &[]));
    assert_eq!(twice.layers[0].activation, Activation::Silu);
    let scale = vec![2.0; 3];
    let mean = vec![0.0; 3];
    assert_eq!(twice.output, Output::Values { mean, scale });
}

/// One thing in each that no multi-layer perceptron does, with the words that name it.
#[test]
fn foreign_graphs_are_refused_by_node_and_operator() {
    let linear = || Graph::new().linear("x", "t");
    let row = |graph: Graph, len: i64| graph.constant("c", &[len], &vec![2.0; len as usize]);
    for (graph, words) in [
        (
            linear().node("Conv t y", &[]),
            "node the y (Conv): no part of",
        ),
        (
            linear().node_in("com.example", "Relu t y", &[]),
            "node the y (com.example::Relu)",
        ),
        (linear().node("Softmax t y", &[int("axis", 0)]), "its axis"),
        (
            linear().node("Softmax t s", &[]).node("Relu s y", &[]),
            "node the s (Softmax): not at the end",
        ),
        (
            linear().node("Gelu t y", &[string("approximate", "tanh")]),
            "its approximation",
        ),
        (
            linear().node("Swish t y", &[float("alpha", 2.0)]),
            "its alpha",
        ),
        (linear().node("Flatten t y", &[int("axis", 0)]), "its axis"),
        (linear().node("Cast t y", &[int("to", 10)]), "its type"),
        (
            linear()
                .constant("one", &[], &[1.0])
                .node("Greater t one c", &[])
                .node("Softplus t p", &[])
                .node("Where c t p y", &[]),
            "no softplus",
        ),
        (
            linear().node("Dropout t - training y", &[]),
            "its training mode",
        ),
        (
            linear().node("Relu t a", &[]).node("Tanh a y", &[]),
            "a second activation",
        ),
        (
            Graph::new().node("Relu x z", &[]).linear("z", "y"),
            "before the first linear layer",
        ),
        (
            Graph::new().node("Relu x y", &[]),
            "before the first linear layer",
        ),
        (Graph::new().node("Identity x y", &[]), "no linear layer"),
        (
            linear().node("Add t t y", &[]),
            "node the y (Add): not with one constant",
        ),
        (
            linear().node("Mul t t y", &[]),
            "node the y (Mul): not with one constant",
        ),
        (
            row(linear(), 3).node("Div c t y", &[]),
            "node the y (Div): not with one constant",
        ),
        (
            row(linear(), 2).node("Add t c y", &[]),
            "node the y (Add): shape [2] where a row of 3",
        ),
        (
            row(Graph::new(), 3).node("Sub x c z", &[]).linear("z", "y"),
            "shape [3] where a row of 2",
        ),
        (
            linear()
                .constant("c", &[3, 1], &[1.0; 3])
                .node("Add t c y", &[]),
            "shape [3, 1]",
        ),
        (
            row(linear().node("Relu t a", &[]), 3)
                .node("Mul a c z", &[])
                .node("Tanh z y", &[]),
            "between an activation and what follows",
        ),
        (
            linear().node("Gemm t w b y", &[]),
            "shape [2, 3] where 3 rows",
        ),
        (
            linear().node("Gemm x w b y", &[int("transA", 1)]),
            "its transA",
        ),
        (
            linear().node("Gemm w x b y", &[]),
            "its second factor is no constant",
        ),
        (
            linear().node("Gemm x w x y", &[]),
            "its bias is no constant",
        ),
        (
            linear().node("Gemm x w w y", &[]),
            "shape [2, 3] where a row of 3",
        ),
        (
            Graph::new()
                .constant("w", &[6], &[1.0; 6])
                .node("MatMul x w y", &[]),
            "a matrix",
        ),
        (linear(), "nothing computes the value y"),
        (linear().node("Relu y y", &[]), "depends on itself"),
        (
            linear().node("Relu a y", &[]).node("Tanh y a", &[]),
            "depends on itself",
        ),
        (linear().node("Relu y", &[]), "nothing computes the value "),
        (
            linear().end(11, "z").node("Relu t y", &[]),
            "the inputs [\"x\", \"z\"]",
        ),
        (Graph::bare().end(11, "x"), "the outputs []"),
    ] {
        let said = refused(graph);
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
    let zero = row(Graph::new(), 2).constant("zero", &[], &[0.0]);
    let zero = zero.node("Mul x zero z", &[]).linear("z", "y");
    let said = refused(zero);
    assert!(said.contains("standardisation of column 0"), "{said}");
}

#[test]
fn constants_that_are_not_what_they_say_are_refused() {
    let product = |tensor: Message| Graph::new().tensor(tensor).node("MatMul x w y", &[]);
    let bytes = [0; 24];
    for (tensor, words) in [
        (
            tensor_of("w", &[2, 3], 1).bytes(9, &bytes[..23]),
            "has 23 bytes",
        ),
        (
            tensor_of("w", &[2, 3], 1).bytes(9, &bytes[..20]),
            "the shape [2, 3] and 5 numbers",
        ),
        (tensor_of("w", &[2, 3], 1), "and 0 numbers"),
        (tensor_of("w", &[2, 3], 7).bytes(9, &bytes), "is of type 7"),
        (tensor_of("w", &[2, 3], 1).int(14, 1), "is in another file"),
        (tensor_of("w", &[-2, 3], 1), "the shape [-2, 3]"),
        // More than there is memory, in a few bytes.
        (tensor_of("w", &[1 << 40, 1 << 40], 1), "and 0 numbers"),
        (tensor_of("w", &[0, 1 << 40], 1), "each size at least 1"),
        (tensor_of("w", &[1 << 40, 0], 1), "each size at least 1"),
    ] {
        let said = refused(product(tensor));
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
}

/// Every node has a copy of its constant, so a row that many nodes share fills the memory.
#[test]
fn a_file_that_unfolds_to_far_more_is_refused() {
    let shared = |nodes: usize| {
        let graph = Graph::new()
            .constant("w", &[1, 1000], &[1.0; 1000])
            .constant("c", &[1000], &[0.5; 1000])
            .node("Gemm x w c t0", &[]);
        let add = |graph: Graph, i| graph.node(&format!("Add t{i} c t{}", i + 1), &[]);
        let graph = (0..nodes).fold(graph, add);
        graph.node(&format!("Identity t{nodes} y"), &[])
    };
    let few = read(shared(10));
    let once = Output::Values {
        mean: vec![5.0; 1000],
        scale: vec![1.0; 1000],
    };
    assert_eq!(few.output, once);
    let said = refused(shared(3000));
    assert!(said.contains("far larger than its file"), "{said}");
    // Products of many factors, each of which is such a product.
    let many = "b ".repeat(500);
    let graph = Graph::new().constant("k", &[], &[1.0]);
    let graph = graph.node(&format!("Mul {many}a"), &[]);
    let graph = graph.node(&format!("Mul {}b", "c ".repeat(500)), &[]);
    let graph = graph.node(&format!("Mul {}c", "d ".repeat(500)), &[]);
    let graph = graph.node("Relu x d", &[]).node("Mul a a y", &[]);
    assert!(refused(graph).contains("node the y (Mul)"));
}

#[test]
fn files_that_are_no_onnx_are_refused() {
    let linear = || Graph::new().linear("x", "y");
    let import = |bytes: &[u8]| onnx::import(bytes).unwrap_err();
    assert!(matches!(import(b""), OnnxError::NoGraph));
    assert!(matches!(import(b"\x89PNG\r\n\x1a\n"), OnnxError::File(_)));
    for opset in [None, Some(6)] {
        let file = Graph { opset, ..linear() }.file();
        let error = import(&file);
        assert!(
            matches!(error, OnnxError::Opset { version, .. } if version == opset),
            "{error}"
        );
    }
}
