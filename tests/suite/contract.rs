//! Shaders against host code, by naga: bindings, names, access, and translation to every backend's
//! language.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use naga::back::{glsl, hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess};
use wgpu_linear::kernel::{Constant, Scalar, SourceError, specialise};
use wgpu_linear::linear::Activation;
use wgpu_linear::{Access, Binding, Kernel, kernels};

/// What some kernels need beside subgroups.
const FEATURES: Capabilities = Capabilities::SHADER_INT64
    .union(Capabilities::SHADER_FLOAT16)
    .union(Capabilities::COOPERATIVE_MATRIX);

fn module(kernel: &Kernel) -> (Module, ModuleInfo) {
    validated(kernel.label, &kernel.wgsl().unwrap())
}

fn validated(label: &str, wgsl: &str) -> (Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(wgsl)
        .unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(wgsl)));
    let capabilities = Capabilities::SUBGROUP | FEATURES;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all())
        .validate(&module)
        .unwrap();
    (module, info)
}

#[test]
fn kernels_have_different_names_and_sources() {
    let (mut names, mut sources) = (HashSet::new(), HashSet::new());
    for kernel in kernels() {
        let name = kernel.name();
        let source = (kernel.entry_point, kernel.wgsl().unwrap());
        assert!(names.insert(name.clone()), "{name} stands twice");
        assert!(sources.insert(source), "{name} has the source of another");
    }
    assert!(names.len() >= 90);
}

#[test]
fn kernels_cover_every_shader_file() {
    let used: BTreeSet<String> = kernels()
        .flat_map(|kernel| kernel.files().unwrap())
        .map(|file| file.name.to_owned())
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.clone()];
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
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
        let files = kernel.files().unwrap();
        let sources: Vec<_> = files.iter().map(|file| file.source).collect();
        // What needs these lines whatever its constants are.
        let enables = match kernel.uses_matrix_units() {
            true => kernel.enables(),
            false => "",
        };
        validated(&kernel.name(), &format!("{enables}{}", sources.join("\n")));
    }
}

/// What a file says of its geometry, read by itself, is what some kernel is compiled with.
#[test]
fn shader_files_show_a_geometry_that_is_used() {
    let mut used: HashMap<(&str, &str), BTreeSet<String>> = HashMap::new();
    let mut shown = HashMap::new();
    for kernel in kernels() {
        for file in kernel.files().unwrap() {
            for (name, value) in kernel.constants.iter() {
                let declaration = format!("const {name}: u32 = ");
                let line = file.source.lines().find(|l| l.starts_with(&declaration));
                if let Some(line) = line {
                    let key = (file.name, *name);
                    let (value_shown, _) = line[declaration.len()..].split_once(';').unwrap();
                    shown.insert(key, value_shown);
                    used.entry(key).or_default().insert(value.to_string());
                }
            }
        }
    }
    assert!(shown.len() >= 20, "{} constants", shown.len());
    for (key, value) in shown {
        assert!(
            used[&key].contains(value),
            "{key:?} shows {value}, the kernels use {:?}",
            used[&key]
        );
    }
}

/// An activation that is forgotten in WGSL must not become another one.
#[test]
fn every_activation_has_functions_of_its_own() {
    let mut functions = HashSet::new();
    for function in Activation::ALL {
        let name = format!("activation/{}", function.name());
        let kernel = kernels().find(|kernel| kernel.name() == name).unwrap();
        let files = kernel.files().unwrap();
        let own = files
            .iter()
            .find(|file| file.name.starts_with("parts/activations/"))
            .unwrap();
        let (_, code) = own.source.split_once("\nfn ").unwrap();
        assert!(functions.insert(code), "{name} is another activation");
        for wanted in ["fn value(", "fn derivative("] {
            assert!(own.source.contains(wanted), "{name} has no `{wanted}`");
        }
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
            .map(|b| (b.index, b.name.to_owned(), kind(b)))
            .collect();
        assert_eq!(bound, declared, "{}", kernel.label);
    }
}

fn kind(binding: &Binding) -> &'static str {
    match binding.access {
        Access::Uniform(_) => "uniform",
        Access::Read => "read",
        Access::ReadWrite => "read_write",
        other => panic!("unexpected access {other:?}"),
    }
}

fn access(space: AddressSpace) -> &'static str {
    match space {
        AddressSpace::Uniform => "uniform",
        AddressSpace::Storage { access } if access == StorageAccess::LOAD => "read",
        AddressSpace::Storage { .. } => "read_write",
        other => panic!("unexpected address space {other:?}"),
    }
}

/// Names, types, order and offsets of the members of every uniform: a value in the place of another
/// would be taken for a size by kernels that are compiled without checks.
#[test]
fn kernel_uniforms_match_the_shader() {
    let mut compared = 0;
    for kernel in kernels() {
        let (module, _) = module(&kernel);
        for binding in kernel.bindings {
            let Access::Uniform(members) = binding.access else {
                continue;
            };
            let host: Vec<_> = (0..)
                .zip(members)
                .map(|(i, member)| (member.name.to_owned(), member.scalar, 4 * i))
                .collect();
            assert_eq!(
                host,
                uniform_members(&module, binding.index),
                "{}, {}",
                kernel.name(),
                binding.name
            );
            compared += 1;
        }
    }
    assert!(compared >= 100, "{compared} uniforms");
}

/// Name, type and offset of the members of a uniform, as the shader declares them.
fn uniform_members(module: &Module, index: u32) -> Vec<(String, Scalar, u32)> {
    let (_, global) = module
        .global_variables
        .iter()
        .find(|(_, global)| global.binding.is_some_and(|b| b.binding == index))
        .unwrap();
    let naga::TypeInner::Struct { members, .. } = &module.types[global.ty].inner else {
        panic!("a uniform is a struct");
    };
    let scalar = |ty| match module.types[ty].inner {
        naga::TypeInner::Scalar(naga::Scalar::U32) => Scalar::U32,
        naga::TypeInner::Scalar(naga::Scalar::F32) => Scalar::F32,
        ref other => panic!("members are numbers, not {other:?}"),
    };
    members
        .iter()
        .map(|m| (m.name.clone().unwrap(), scalar(m.ty), m.offset))
        .collect()
}

/// What the host assumes about workgroups is what the files say, and fits WebGPU's default limits
/// but for the largest prefetched tiles.
#[test]
fn workgroups_match_the_host_and_the_default_limits() {
    let limits = wgpu::Limits::default();
    for kernel in kernels() {
        let (module, info) = module(&kernel);
        let (i, entry) = module
            .entry_points
            .iter()
            .enumerate()
            .find(|(_, entry)| entry.name == kernel.entry_point)
            .unwrap();
        assert_eq!(entry.workgroup_size, kernel.workgroup, "{}", kernel.name());
        assert!(
            entry.workgroup_size.iter().product::<u32>()
                <= limits.max_compute_invocations_per_workgroup
        );
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, global)| global.space == AddressSpace::WorkGroup)
            .filter(|(handle, _)| !info.get_entry_point(i)[*handle].is_empty())
            .map(|(_, global)| module.types[global.ty].inner.size(module.to_ctx()))
            .sum();
        // Planned where a device has more than that.
        let most = match kernel.name() {
            name if name.contains("tiled_128_prefetch") => 32_768,
            _ => limits.max_compute_workgroup_storage_size,
        };
        assert!(shared <= most, "{}", kernel.name());
        assert_eq!(shared, kernel.shared_bytes, "{}", kernel.name());
    }
}

/// naga refuses them where subgroups are not allowed, and no others.
#[test]
fn kernels_say_whether_they_use_subgroups() {
    let mut count = 0;
    for kernel in kernels() {
        let module = naga::front::wgsl::parse_str(&kernel.wgsl().unwrap()).unwrap();
        let without = Validator::new(ValidationFlags::all(), FEATURES)
            .validate(&module)
            .is_err();
        assert_eq!(
            kernel.uses_subgroups().unwrap(),
            without,
            "{}",
            kernel.name()
        );
        count += usize::from(without);
    }
    assert!(count > 0);
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
    assert!(matches!(error, SourceError::NoConstant { name } if name == "TIL"));
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

/// But for matrices of sixteen, which Apple's units do not multiply.
#[test]
fn every_kernel_translates_to_msl() {
    let is_for_others = |kernel: &Kernel| kernel.name().contains("_of_16_by_");
    for kernel in kernels().filter(|kernel| !is_for_others(kernel)) {
        let (module, info) = module(&kernel);
        let options = msl::Options {
            fake_missing_bindings: true,
            lang_version: if kernel.uses_matrix_units() {
                (2, 3)
            } else {
                (2, 0)
            },
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

/// But for matrix units, which naga does not know there.
#[test]
fn every_kernel_translates_to_hlsl() {
    for kernel in kernels().filter(|kernel| !kernel.uses_matrix_units()) {
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

fn uses_wide_words(module: &Module) -> bool {
    let mut types = module.types.iter().map(|(_, ty)| &ty.inner);
    types.any(|ty| ty.scalar() == Some(naga::Scalar::U64))
}

/// But for those with numbers of 16 bits and words of 64, which GLSL ES does not know. The latter are
/// for software adapters that have them, and each stands beside one that does without.
#[test]
fn every_kernel_translates_to_glsl() {
    let (wide, others): (Vec<_>, Vec<_>) = kernels()
        .filter(|kernel| !kernel.uses_f16())
        .map(|kernel| (module(&kernel), kernel))
        .partition(|((module, _), _)| uses_wide_words(module));
    assert!((1..30).contains(&wide.len()), "{}", wide.len());
    for (_, kernel) in &wide {
        let name = kernel.name().replace("-by_twos", "");
        assert!(
            others.iter().any(|(_, other)| other.name() == name),
            "{name}"
        );
    }
    for ((module, info), kernel) in others {
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
