//! Which plans hardware gets: a table of cases, by adapter and by the shapes of `bench`.
//!
//! The tables say what the planner's model comes to, with the reason where it is not obvious; they
//! are not measurements. A change of the model changes them on purpose or not at all.

use wgpu::{DeviceType, Features, Limits};
use wgpu_linear::LinearKernels;
use wgpu_linear::linear::{Algorithm, Capabilities, Operation, Plan, Shape, candidates, plan};

const OPERATIONS: [Operation; 3] = [
    Operation::Forward,
    Operation::InputGrad,
    Operation::WeightGrad,
];

/// shape | forward | dX | dW | why. `64² /4`: tiles of 64 × 64, four slabs; `rows 8`: the kernel
/// for small batches.
///
/// What holds everywhere: 64×64×64 goes to four processors as 32², and to one as 64². Where sums
/// are short (16×4096×64, dX and dW), a second dispatch would cost more than all the steps. A
/// weight gradient of one or eight rows is bound by its stores, and takes the tile whose workgroups
/// are fewest.
const H100: &str = "
64×64×64       | 32²       | 32²        | 32²      |
256×256×256    | 32²       | 32²        | 32²      | 64 tiles leave half of 132 idle, and slabs cost as much
512×512×512    | 32²       | 32²        | 32²      | 256 tiles, so two a processor
1024×1024×1024 | 128² /2   | 128² /2    | 128² /2  | 64 tiles, so two slabs; an H200 takes as long for 64²
4096×4096×4096 | 128²      | 128²       | 128²     | 1024 tiles: only the share of multiply-adds counts
100×333×77     | 32²       | 32²        | 32²      | 77 and 100 terms are too few to split
4096×64×16     | 32²       | 32²        | 32² /32  | 4096 terms for 64 × 16 results
16×4096×64     | 32² /32   | 32²        | 32²      | the same
128×784×128    | 32² /8    | 32²        | 32²      | 16 tiles, so eight slabs; 128 terms are not split
8×1024×4096    | rows 8 /4 | rows 8 /16 | 128²     | 64 and 16 workgroups for 132
1×4096×4096    | rows 1 /8 | rows 1 /8  | 128²     | 64 workgroups have too few loads in flight
65536×64×64    | 64²       | 64²        | 32² /64  | four tiles, so 256 workgroups for 132
";

/// As many processors, a larger cache, a third of the memory.
const RTX_4090: &str = "
64×64×64       | 32²       | 32²        | 32²      |
256×256×256    | 32²       | 32²        | 32²      |
512×512×512    | 32²       | 32²        | 32²      |
1024×1024×1024 | 64²       | 64²        | 64²      | 256 tiles, so two a processor
4096×4096×4096 | 128²      | 128²       | 128²     |
100×333×77     | 32²       | 32²        | 32²      |
4096×64×16     | 32²       | 32²        | 32² /32  |
16×4096×64     | 32² /32   | 32²        | 32²      |
128×784×128    | 32² /8    | 32²        | 32²      |
8×1024×4096    | rows 8 /4 | rows 8 /16 | 128²     |
1×4096×4096    | rows 1 /8 | rows 1 /8  | 128²     | 64 MiB of weights stay in 75 MiB of cache
65536×64×64    | 64²       | 64²        | 32² /128 |
";

/// 28 processors are soon busy, and bound by memory.
const RTX_3060: &str = "
64×64×64       | 32²       | 32²        | 32²      |
256×256×256    | 32²       | 32²        | 32²      | 64 tiles: two or three a processor
512×512×512    | 64²       | 64²        | 64²      | the same without slabs
1024×1024×1024 | 128² /2   | 128² /2    | 128² /2  | 64 tiles would be three rounds for 2.3
4096×4096×4096 | 128²      | 128²       | 128²     |
100×333×77     | 32²       | 32²        | 32²      |
4096×64×16     | 32²       | 64²        | 32² /32  | one step: larger tiles multiply better
16×4096×64     | 32² /32   | 32²        | 64²      | the same
128×784×128    | 32² /8    | 64²        | 64²      |
8×1024×4096    | rows 8    | rows 8 /4  | 128²     | memory-bound: slabs would only add to it
1×4096×4096    | rows 1    | rows 1     | 128²     | the same
65536×64×64    | 64²       | 64²        | 64² /64  | 64 workgroups are enough for 28
";

/// 96 compute units, a larger cache of 96 MiB.
const RX_7900_XTX: &str = "
64×64×64       | 32²       | 32²        | 32²      |
256×256×256    | 32²       | 32²        | 32²      |
512×512×512    | 64² /4    | 64² /4     | 64² /4   |
1024×1024×1024 | 64²       | 64²        | 64²      |
4096×4096×4096 | 128²      | 128²       | 128²     |
100×333×77     | 32² /4    | 32²        | 32²      |
4096×64×16     | 32²       | 32²        | 32² /32  |
16×4096×64     | 32² /32   | 32²        | 32²      |
128×784×128    | 32² /8    | 32²        | 32²      |
8×1024×4096    | rows 8 /4 | rows 8 /16 | 128²     |
1×4096×4096    | rows 1 /4 | rows 1 /4  | 128²     |
65536×64×64    | 64²       | 64²        | 64² /256 |
";

/// 32 Xe cores; 128² spills there.
const ARC_A770: &str = "
64×64×64       | 32²       | 32²        | 32²      |
256×256×256    | 32²       | 32²        | 32²      |
512×512×512    | 64²       | 64²        | 64²      | 64 tiles are two a core
1024×1024×1024 | 64²       | 64²        | 64²      |
4096×4096×4096 | 64²       | 64²        | 64²      | no 128²
100×333×77     | 32²       | 32²        | 32²      |
4096×64×16     | 32²       | 64²        | 32² /32  |
16×4096×64     | 32² /32   | 32²        | 64²      |
128×784×128    | 32² /8    | 32²        | 32²      |
8×1024×4096    | rows 8    | rows 8 /4  | 64²      |
1×4096×4096    | rows 1    | rows 1     | 64²      |
65536×64×64    | 64²       | 64²        | 64² /64  |
";

/// Ten cores: nothing of 256³ and more is split, and 128² needs more registers than a thread has.
const M2: &str = "
64×64×64       | 32²       | 32²        | 32²      |
256×256×256    | 64²       | 64²        | 64²      | 16 tiles for ten cores
512×512×512    | 64²       | 64²        | 64²      |
1024×1024×1024 | 64²       | 64²        | 64²      |
4096×4096×4096 | 64²       | 64²        | 64²      |
100×333×77     | 32²       | 32²        | 32²      | dX: twelve tiles of 64², or 44 of 32²
4096×64×16     | 32²       | 64²        | 32² /8   |
16×4096×64     | 32² /8    | 32²        | 64²      |
128×784×128    | 32²       | 64²        | 64²      | four tiles of 64² for ten cores: sixteen of 32²
8×1024×4096    | rows 8    | rows 8     | 64²      | memory-bound
1×4096×4096    | rows 1    | rows 1     | 64²      | the same
65536×64×64    | 64²       | 64²        | 64² /16  | ten cores need no more
";

/// Twelve processors with half of the clock and of the bandwidth.
const ADRENO_740: &str = "
64×64×64       | 32²       | 32²        | 32²      |
256×256×256    | 64²       | 64²        | 64²      |
512×512×512    | 64²       | 64²        | 64²      |
1024×1024×1024 | 64²       | 64²        | 64²      |
4096×4096×4096 | 64²       | 64²        | 64²      |
100×333×77     | 32²       | 64²        | 32²      |
4096×64×16     | 32²       | 64²        | 32² /16  |
16×4096×64     | 32² /16   | 32²        | 64²      |
128×784×128    | 64² /8    | 64²        | 64²      |
8×1024×4096    | rows 8    | rows 8     | 64²      |
1×4096×4096    | rows 1    | rows 1     | 64²      |
65536×64×64    | 64²       | 64²        | 64² /32  |
";

/// A name as its driver reports it, with the workgroup memory that it offers.
fn adapter(vendor: u32, name: &str, workgroup_bytes: u32) -> Capabilities {
    let device_type = if [0, 0x5143].contains(&vendor) {
        DeviceType::IntegratedGpu
    } else {
        DeviceType::DiscreteGpu
    };
    let info = wgpu::AdapterInfo {
        name: name.to_owned(),
        vendor,
        ..wgpu::AdapterInfo::new(device_type, wgpu::Backend::Vulkan)
    };
    let limits = Limits {
        max_compute_workgroup_storage_size: workgroup_bytes,
        ..Limits::default()
    };
    Capabilities::of_adapter(&info, Features::SUBGROUP, &limits)
}

fn adapters() -> [(&'static str, Capabilities); 7] {
    [
        (H100, adapter(0x10DE, "NVIDIA H100 80GB HBM3", 49_152)),
        (RTX_4090, adapter(0x10DE, "NVIDIA GeForce RTX 4090", 49_152)),
        (RTX_3060, adapter(0x10DE, "NVIDIA GeForce RTX 3060", 49_152)),
        (
            RX_7900_XTX,
            adapter(0x1002, "AMD Radeon RX 7900 XTX (RADV NAVI31)", 65_536),
        ),
        (
            ARC_A770,
            adapter(0x8086, "Intel(R) Arc(tm) A770 Graphics (DG2)", 65_536),
        ),
        (M2, adapter(0, "Apple M2", 32_768)),
        (ADRENO_740, adapter(0x5143, "Adreno (TM) 740", 32_768)),
    ]
}

fn shape(sizes: &str) -> Shape {
    let sizes: Vec<u32> = sizes
        .trim()
        .split('×')
        .map(|s| s.parse().unwrap())
        .collect();
    Shape {
        batch: sizes[0],
        inputs: sizes[1],
        outputs: sizes[2],
    }
}

fn short(plan: Plan) -> String {
    let algorithm = match plan.algorithm {
        Algorithm::Tiled(tiled) => format!("{}²", tiled.side),
        Algorithm::SmallBatch(small) => format!("rows {}", small.rows),
        other => other.to_string(),
    };
    match plan.slabs {
        1 => algorithm,
        slabs => format!("{algorithm} /{slabs}"),
    }
}

/// The rows of a table: shape and the plan of each operation.
fn rows(table: &'static str) -> impl Iterator<Item = (Shape, [&'static str; 3])> {
    table.lines().filter(|line| !line.is_empty()).map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        (shape(cells[0]), [cells[1], cells[2], cells[3]])
    })
}

#[test]
fn plans_are_those_of_the_tables() {
    let mut wrong = Vec::new();
    for (table, capabilities) in adapters() {
        assert_eq!(rows(table).count(), 12);
        for (shape, expected) in rows(table) {
            let found = OPERATIONS.map(|operation| short(plan(shape, operation, &capabilities)));
            if found != expected {
                let processors = capabilities.parallel_workgroups;
                wrong.push(format!(
                    "{processors} processors, {shape}: {found:?}, not {expected:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whatever is planned, and whatever `tune` may try there.
#[test]
fn the_largest_tile_is_nowhere_tried_where_it_spills() {
    for (table, capabilities) in adapters() {
        let large = [H100, RTX_4090, RTX_3060, RX_7900_XTX].contains(&table);
        for (shape, _) in rows(table) {
            for operation in OPERATIONS {
                let sides = candidates(shape, operation, &capabilities);
                let sides = sides.iter().filter_map(|plan| match plan.algorithm {
                    Algorithm::Tiled(tiled) => Some(tiled.side),
                    _ => None,
                });
                assert_eq!(sides.max(), Some(if large { 128 } else { 64 }), "{shape}");
            }
        }
    }
}

/// A long product for few results has a workgroup for every processor, and no slabs are tried that
/// no processor is there for.
#[test]
fn slabs_are_as_many_as_there_are_processors_for() {
    let skinny = shape("65536×64×64");
    for (_, capabilities) in adapters() {
        let processors = u64::from(capabilities.parallel_workgroups);
        let workgroups = |plan: &Plan| plan.algorithm.workgroups(64, 64) * u64::from(plan.slabs);
        let chosen = plan(skinny, Operation::WeightGrad, &capabilities);
        assert!(workgroups(&chosen) >= processors, "{chosen}");
        for tried in candidates(skinny, Operation::WeightGrad, &capabilities) {
            assert!(workgroups(&tried) < 16 * processors, "{tried}");
        }
    }
}

#[test]
fn slabs_take_no_more_than_sixteen_mebibytes() {
    for (table, capabilities) in adapters() {
        for (shape, _) in rows(table) {
            for operation in OPERATIONS {
                let [m, _, n] = operation.product(shape).map(u64::from);
                for tried in candidates(shape, operation, &capabilities) {
                    let bytes = 4 * m * n * u64::from(tried.slabs);
                    assert!(tried.slabs == 1 || bytes <= 16 << 20, "{shape}: {tried}");
                }
            }
        }
    }
}

/// A user who knows better is believed.
#[test]
fn plans_follow_the_figures_that_are_set() {
    let mut m2 = adapter(0, "Apple M2", 32_768);
    let sizes = shape("512×512×512");
    assert_eq!(short(plan(sizes, Operation::Forward, &m2)), "64²");
    m2.parallel_workgroups = 132;
    assert_eq!(short(plan(sizes, Operation::Forward, &m2)), "32²");
    m2.processor.largest_tile = 32;
    assert!(short(plan(sizes, Operation::Forward, &m2)).starts_with("32²"));
}

/// What a device tells of itself decides what is safe there.
#[test]
fn kernels_take_no_more_than_the_figures_of_processors() {
    let (device, _) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    let told = Capabilities::of(&device);
    let mut known = adapter(0, "Apple M2", 65_536);
    known.subgroup_sizes = Some([8, 8]);
    let mut expected = told.clone();
    expected.parallel_workgroups = known.parallel_workgroups;
    expected.processor = known.processor;
    assert_ne!(expected, told);
    let kernels = LinearKernels::new(&device).with_capabilities(&known);
    assert_eq!(kernels.capabilities(), &expected);
}
