//! Shaders against host code, by naga: bindings, names, access, and translation to every backend's language.

use std::collections::BTreeSet;
use std::path::Path;

use naga::back::{glsl, hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess};
use wgpu_linear::linear::SUM_ROWS_COLUMNS;
use wgpu_linear::shader::{Constant, specialise};
use wgpu_linear::{Access, Kernel, kernels};

fn module(kernel: &Kernel) -> (Module, ModuleInfo) {
    validated(kernel.label, &kernel.wgsl().unwrap())
}

fn validated(label: &str, wgsl: &str) -> (Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(wgsl)
        .unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(wgsl)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP)
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all())
        .validate(&module)
        .unwrap();
    (module, info)
}

#[test]
fn kernels_have_different_labels_or_constants() {
    let mut seen = std::collections::HashSet::new();
    assert!(kernels().all(|kernel| seen.insert((
        kernel.label,
        kernel.files.clone(),
        kernel.constants.clone()
    ))));
    assert!(seen.len() >= 90);
}

#[test]
fn kernels_cover_every_shader_file() {
    let used: BTreeSet<String> = kernels()
        .flat_map(|kernel| kernel.files.into_owned())
        .map(|file| file.name.to_owned())
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut files = BTreeSet::new();
    for below in ["", "parts"] {
        for entry in std::fs::read_dir(folder.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(&folder).unwrap();
                files.insert(name.to_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(used, files);
}

/// Before any constant is replaced: the values in the files are an example that works.
#[test]
fn shader_files_are_valid_as_they_stand() {
    for kernel in kernels() {
        let sources: Vec<_> = kernel.files.iter().map(|file| file.source).collect();
        validated(kernel.label, &sources.join("\n"));
    }
}

/// Every global that an entry point uses is bound with the right access, and nothing else is bound.
#[test]
fn kernel_bindings_match_what_the_shader_uses() {
    for kernel in kernels() {
        let (module, info) = module(&kernel);
        let entry = module
            .entry_points
            .iter()
            .position(|entry| entry.name == kernel.entry_point)
            .unwrap();
        let uses = info.get_entry_point(entry);
        let mut declared: Vec<_> = module
            .global_variables
            .iter()
            .filter(|(handle, global)| global.binding.is_some() && !uses[*handle].is_empty())
            .map(|(_, global)| {
                let binding = global.binding.unwrap();
                assert_eq!(binding.group, 0, "{}", kernel.label);
                (
                    binding.binding,
                    global.name.clone().unwrap(),
                    access(global.space),
                )
            })
            .collect();
        declared.sort_by_key(|binding| binding.0);
        let bound: Vec<_> = kernel
            .bindings
            .iter()
            .map(|b| (b.index, b.name.to_owned(), b.access))
            .collect();
        assert_eq!(bound, declared, "{}", kernel.label);
    }
}

fn access(space: AddressSpace) -> Access {
    match space {
        AddressSpace::Uniform => Access::Uniform,
        AddressSpace::Storage { access } if access == StorageAccess::LOAD => Access::Read,
        AddressSpace::Storage { .. } => Access::ReadWrite,
        other => panic!("unexpected address space {other:?}"),
    }
}

/// What the host assumes about workgroups is what the files say, and fits WebGPU's default limits.
#[test]
fn workgroups_match_the_host_and_the_default_limits() {
    let limits = wgpu::Limits::default();
    for kernel in kernels() {
        let (module, _) = module(&kernel);
        let entry = module
            .entry_points
            .iter()
            .find(|entry| entry.name == kernel.entry_point)
            .unwrap();
        let constant = |name: &str| {
            let found = kernel.constants.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| value.to_string())
        };
        let expected = match kernel.file() {
            "matmul_tiled.wgsl" if constant("TILE_ROWS").as_deref() == Some("32u") => [8, 8, 1],
            "matmul_tiled.wgsl" => [16, 16, 1],
            "matmul_broadcast.wgsl" => {
                let shuffles = kernel
                    .files
                    .iter()
                    .any(|file| file.name.ends_with("left_by_shuffle.wgsl"));
                [if shuffles { 8 } else { 16 }, 1, 1]
            }
            "matmul_naive.wgsl" | "sum_slabs.wgsl" => [64, 1, 1],
            "sum_rows.wgsl" => [SUM_ROWS_COLUMNS, 8, 1],
            "softmax_cross_entropy.wgsl" | "softmax_cross_entropy_small.wgsl" => [64, 1, 1],
            _ if kernel.entry_point == "adam_advance" => [1, 1, 1],
            _ => [256, 1, 1],
        };
        assert_eq!(entry.workgroup_size, expected, "{}", kernel.label);
        assert!(
            entry.workgroup_size.iter().product::<u32>()
                <= limits.max_compute_invocations_per_workgroup
        );
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, global)| global.space == AddressSpace::WorkGroup)
            .map(|(_, global)| module.types[global.ty].inner.size(module.to_ctx()))
            .sum();
        assert!(
            shared <= limits.max_compute_workgroup_storage_size,
            "{}",
            kernel.label
        );
    }
}

#[test]
fn specialise_replaces_the_value_alone() {
    let wgsl = "// const A: u32 = 1u;\nconst A: u32 = 1u; // words\nconst AB: bool = false;\n";
    let result = specialise(
        wgsl,
        &[("A", Constant::U32(7)), ("AB", Constant::Bool(true))],
    )
    .unwrap();
    assert_eq!(
        result,
        "// const A: u32 = 1u;\nconst A: u32 = 7u; // words\nconst AB: bool = true;\n"
    );
}

#[test]
fn specialise_refuses_unknown_names() {
    let error = specialise("const TILE: u32 = 64u;\n", &[("TIL", Constant::U32(1))]).unwrap_err();
    assert_eq!(error.name, "TIL");
}

#[test]
fn every_kernel_translates_to_spirv() {
    for kernel in kernels() {
        let (module, info) = module(&kernel);
        let options = spv::Options {
            lang_version: (1, 3),
            ..Default::default()
        };
        let words = spv::write_vec(&module, &info, &options, None)
            .unwrap_or_else(|e| panic!("{}: {e}", kernel.label));
        assert_eq!(words[0], 0x0723_0203, "SPIR-V begins with its magic number");
    }
}

#[test]
fn every_kernel_translates_to_msl() {
    for kernel in kernels() {
        let (module, info) = module(&kernel);
        let options = msl::Options {
            fake_missing_bindings: true,
            lang_version: (2, 0),
            ..Default::default()
        };
        let pipeline = msl::PipelineOptions {
            entry_point: Some((naga::ShaderStage::Compute, kernel.entry_point.into())),
            ..Default::default()
        };
        let (source, info) = msl::write_string(&module, &info, &options, &pipeline)
            .unwrap_or_else(|e| panic!("{}: {e}", kernel.label));
        let names: Vec<_> = info
            .entry_point_names
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert!(
            names
                .iter()
                .any(|name| source.contains(&format!("kernel void {name}("))),
            "{}",
            kernel.label
        );
    }
}

#[test]
fn every_kernel_translates_to_hlsl() {
    for kernel in kernels() {
        let (module, info) = module(&kernel);
        let options = hlsl::Options {
            fake_missing_bindings: true,
            ..Default::default()
        };
        let pipeline = hlsl::PipelineOptions {
            entry_point: Some((naga::ShaderStage::Compute, kernel.entry_point.into())),
        };
        let mut source = String::new();
        hlsl::Writer::new(&mut source, &options, &pipeline)
            .write(&module, &info, None)
            .unwrap_or_else(|e| panic!("{}: {e}", kernel.label));
        assert!(source.contains("[numthreads("), "{}", kernel.label);
    }
}

#[test]
fn every_kernel_translates_to_glsl() {
    for kernel in kernels() {
        let (module, info) = module(&kernel);
        let options = glsl::Options {
            version: glsl::Version::Embedded {
                version: 310,
                is_webgl: false,
            },
            ..Default::default()
        };
        let pipeline = glsl::PipelineOptions {
            shader_stage: naga::ShaderStage::Compute,
            entry_point: kernel.entry_point.into(),
            multiview: None,
        };
        let mut source = String::new();
        glsl::Writer::new(
            &mut source,
            &module,
            &info,
            &options,
            &pipeline,
            Default::default(),
        )
        .and_then(|mut writer| writer.write())
        .unwrap_or_else(|e| panic!("{}: {e}", kernel.label));
        assert!(source.contains("void main()"), "{}", kernel.label);
    }
}
