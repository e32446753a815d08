//! How many processors an adapter has, and of which kind: by vendor and name, since wgpu does not
//! tell.
//!
//! A ranking of plans needs the number to within a quarter or so. Hence one line of figures a
//! family, with the clock and the bandwidth of its middle members.

use wgpu::DeviceType;

use super::processor::Processor;

const NVIDIA: u32 = 0x10DE;
const AMD: u32 = 0x1002;
const INTEL: u32 = 0x8086;
const APPLE: u32 = 0x106B;
const QUALCOMM: u32 = 0x5143;
const ARM: u32 = 0x13B5;

/// Words in the names of adapters whose backend does not tell the vendor: Metal, browsers, and
/// Mesa's driver for Apple.
const VENDOR_WORDS: [(&str, u32); 9] = [
    ("nvidia", NVIDIA),
    ("geforce", NVIDIA),
    ("amd", AMD),
    ("radeon", AMD),
    ("intel", INTEL),
    ("apple", APPLE),
    ("qualcomm", QUALCOMM),
    ("adreno", QUALCOMM),
    ("mali", ARM),
];

/// Adapters with processors of one kind.
struct Family {
    vendor: u32,
    processor: Processor,
    /// Words that stand one behind the other in the name, and the number of processors. Where
    /// several members fit a name, the one with the most words counts.
    members: &'static [(&'static str, u32)],
}

const fn processor(
    [multiply_adds, matrix_multiply_adds, megahertz]: [u32; 3],
    [registers, threads, workgroup_kilobytes]: [u32; 3],
    [gigabytes_per_s, cache_kilobytes]: [u32; 2],
    largest_tile: u32,
) -> Processor {
    Processor {
        multiply_adds,
        matrix_multiply_adds,
        megahertz,
        registers,
        threads,
        workgroup_bytes: workgroup_kilobytes * 1024,
        gigabytes_per_s,
        cache_kilobytes,
        largest_tile,
    }
}

// NVIDIA. Per multiprocessor: CUDA C++ Programming Guide, "Technical Specifications per Compute
// Capability"; matrix units, into f32, clocks, bandwidth, caches and numbers: the white paper of each
// architecture.
const PASCAL: Processor = processor([128, 0, 1_600], [65_536, 2_048, 96], [16, 140], 128);
const VOLTA: Processor = processor([64, 512, 1_400], [65_536, 2_048, 96], [12, 76], 128);
const TURING: Processor = processor([64, 512, 1_650], [65_536, 1_024, 64], [9, 90], 128);
const AMPERE_SERVER: Processor =
    processor([64, 1_024, 1_350], [65_536, 2_048, 164], [15, 370], 128);
const AMPERE: Processor = processor([128, 256, 1_750], [65_536, 1_536, 100], [12, 90], 128);
const ADA: Processor = processor([128, 256, 2_500], [65_536, 1_536, 100], [9, 600], 128);
const HOPPER: Processor = processor([128, 2_048, 1_700], [65_536, 2_048, 228], [25, 380], 128);
const BLACKWELL: Processor = processor([128, 256, 2_500], [65_536, 1_536, 100], [11, 600], 128);
/// Of an Orin, whose processors share the memory of the CPU.
const TEGRA: Processor = processor([128, 512, 1_000], [65_536, 1_536, 100], [12, 256], 128);

// AMD. Per compute unit: the white papers of GCN, RDNA and RDNA 2, and the ISA guides of RDNA 3 and
// 4, matrix units as well; numbers: data sheets. Two multiply-adds a lane (RDNA 3 and later) are not
// counted: compilers find few. Names of chips are those that RADV puts in brackets.
const GCN: Processor = processor([64, 0, 1_300], [65_536, 2_560, 64], [8, 64], 128);
const RDNA1: Processor = processor([64, 0, 1_700], [65_536, 1_280, 64], [11, 100], 128);
const RDNA2: Processor = processor([64, 0, 2_200], [65_536, 1_024, 64], [7, 1_600], 128);
const RDNA3: Processor = processor([64, 256, 2_400], [98_304, 1_024, 64], [10, 1_000], 128);
const RDNA4: Processor = processor([64, 512, 2_700], [98_304, 1_024, 64], [10, 1_000], 128);
/// Of a processor with graphics, which shares the memory of the CPU.
const AMD_SHARED: Processor = processor([64, 0, 2_200], [65_536, 1_024, 64], [8, 170], 128);

// Intel. Per Xe core: "Intel Arc Graphics Developer Guide", Mesa's `intel_device_info.c`; 128²
// spills there, as Mesa's compiler for DG2 says. Xe-LP: sixteen execution units count as one.
const XE_HPG: Processor = processor([128, 0, 2_100], [131_072, 2_048, 128], [17, 512], 64);
const XE2: Processor = processor([128, 0, 2_600], [131_072, 2_048, 128], [23, 900], 64);
const XE_SHARED: Processor = processor([128, 0, 1_400], [114_688, 1_792, 64], [10, 600], 64);

// Apple. Per core, numbers and clocks: github.com/philipturner/metal-benchmarks; registers: 1,024
// threads with 104 half registers each, as Mesa's compiler counts, which needs all 256 for 128².
const APPLE_CORE: Processor = processor([128, 128, 1_400], [53_248, 1_024, 60], [10, 800], 64);

// Qualcomm and ARM. Rough, and nothing but orders of magnitude for registers and caches, which
// neither publishes. Numbers: from peak FLOP/s and clock, with 128 lanes a processor; drivers do
// not tell how many cores a Mali has.
const ADRENO: Processor = processor([128, 0, 700], [32_768, 1_024, 32], [6, 250], 64);
const MALI: Processor = processor([64, 0, 850], [16_384, 512, 32], [5, 250], 64);

#[rustfmt::skip] // a family is a paragraph
const FAMILIES: [Family; 20] = [
    Family { vendor: NVIDIA, processor: PASCAL, members: &[
        ("gtx 1050", 5), ("gtx 1050 ti", 6), ("gtx 1060", 10), ("gtx 1070", 15), ("gtx 1080", 20),
        ("gtx 1080 ti", 28),
    ] },
    Family { vendor: NVIDIA, processor: VOLTA, members: &[("v100", 80), ("titan v", 80)] },
    Family { vendor: NVIDIA, processor: TURING, members: &[
        ("gtx 1650", 14), ("gtx 1660", 22), ("gtx 1660 ti", 24), ("rtx 2060", 30),
        ("rtx 2070", 36), ("rtx 2070 super", 40), ("rtx 2080", 46), ("rtx 2080 super", 48),
        ("rtx 2080 ti", 68), ("quadro rtx 6000", 72), ("t4", 40),
    ] },
    Family { vendor: NVIDIA, processor: AMPERE_SERVER, members: &[("a100", 108), ("a30", 56)] },
    Family { vendor: NVIDIA, processor: AMPERE, members: &[
        ("rtx 3050", 20), ("rtx 3060", 28), ("rtx 3060 laptop", 30), ("rtx 3060 ti", 38),
        ("rtx 3070", 46), ("rtx 3070 laptop", 40), ("rtx 3070 ti", 48), ("rtx 3080", 68),
        ("rtx 3080 laptop", 48), ("rtx 3080 ti", 80), ("rtx 3090", 82), ("rtx 3090 ti", 84),
        ("rtx a2000", 26), ("rtx a4000", 48), ("rtx a5000", 64), ("rtx a6000", 84), ("a10", 72),
        ("a10g", 72), ("a40", 84),
    ] },
    Family { vendor: NVIDIA, processor: ADA, members: &[
        ("rtx 4050", 20), ("rtx 4060", 24), ("rtx 4060 ti", 34), ("rtx 4070", 46),
        ("rtx 4070 laptop", 36), ("rtx 4070 super", 56), ("rtx 4070 ti", 60),
        ("rtx 4070 ti super", 66), ("rtx 4080", 76), ("rtx 4080 laptop", 58),
        ("rtx 4080 super", 80), ("rtx 4090", 128), ("rtx 4090 laptop", 76),
        ("rtx 6000 ada", 142), ("l4", 58), ("l40", 142), ("l40s", 142),
    ] },
    Family { vendor: NVIDIA, processor: HOPPER, members: &[
        ("h100", 132), ("h100 pcie", 114), ("h200", 132), ("gh200", 132), ("b200", 148),
    ] },
    Family { vendor: NVIDIA, processor: BLACKWELL, members: &[
        ("rtx 5050", 20), ("rtx 5060", 30), ("rtx 5060 ti", 36), ("rtx 5070", 48),
        ("rtx 5070 ti", 70), ("rtx 5080", 84), ("rtx 5090", 170), ("rtx 5090 laptop", 82),
        ("rtx pro 6000", 188),
    ] },
    Family { vendor: NVIDIA, processor: TEGRA, members: &[("orin", 16), ("tegra orin", 16)] },
    Family { vendor: AMD, processor: GCN, members: &[
        ("rx 570", 32), ("rx 580", 36), ("rx vega", 64), ("radeon vii", 60), ("polaris10", 36),
        ("vega10", 64), ("vega20", 60),
    ] },
    Family { vendor: AMD, processor: RDNA1, members: &[
        ("rx 5500", 22), ("rx 5600", 36), ("rx 5700", 36), ("rx 5700 xt", 40), ("navi10", 40),
        ("navi14", 24), ("pro 5500m", 24), ("pro 5600m", 40),
    ] },
    Family { vendor: AMD, processor: RDNA2, members: &[
        ("rx 6400", 12), ("rx 6500 xt", 16), ("rx 6600", 28), ("rx 6600 xt", 32),
        ("rx 6650 xt", 32), ("rx 6700 xt", 40), ("rx 6750 xt", 40), ("rx 6800", 60),
        ("rx 6800 xt", 72), ("rx 6900 xt", 80), ("rx 6950 xt", 80), ("navi21", 80),
        ("navi22", 40), ("navi23", 32), ("navi24", 16),
    ] },
    Family { vendor: AMD, processor: RDNA3, members: &[
        ("rx 7600", 32), ("rx 7700 xt", 54), ("rx 7800 xt", 60), ("rx 7900 gre", 80),
        ("rx 7900 xt", 84), ("rx 7900 xtx", 96), ("pro w7900", 96), ("navi31", 96),
        ("navi32", 60), ("navi33", 32),
    ] },
    Family { vendor: AMD, processor: RDNA4, members: &[
        ("rx 9060 xt", 32), ("rx 9070", 56), ("rx 9070 xt", 64), ("gfx1200", 32), ("gfx1201", 64),
    ] },
    Family { vendor: AMD, processor: AMD_SHARED, members: &[
        ("660m", 6), ("680m", 12), ("740m", 4), ("760m", 8), ("780m", 12), ("880m", 12),
        ("890m", 16), ("8060s", 40), ("vangogh", 8), ("rembrandt", 12), ("phoenix", 12),
    ] },
    Family { vendor: INTEL, processor: XE_HPG, members: &[
        ("arc a310", 6), ("arc a380", 8), ("arc a580", 24), ("arc a750", 28), ("arc a770", 32),
    ] },
    Family { vendor: INTEL, processor: XE2, members: &[("arc b570", 18), ("arc b580", 20)] },
    Family { vendor: INTEL, processor: XE_SHARED, members: &[
        ("arc graphics", 8), ("arc 130v", 7), ("arc 140v", 8), ("arc 140t", 8), ("iris xe", 6),
        ("uhd graphics 620", 2), ("uhd graphics 630", 2), ("uhd graphics 770", 2),
    ] },
    Family { vendor: APPLE, processor: APPLE_CORE, members: &[
        ("m1", 8), ("m1 pro", 16), ("m1 max", 32), ("m1 ultra", 64), ("m2", 10), ("m2 pro", 19),
        ("m2 max", 38), ("m2 ultra", 76), ("m3", 10), ("m3 pro", 18), ("m3 max", 40),
        ("m3 ultra", 80), ("m4", 10), ("m4 pro", 20), ("m4 max", 40), ("m5", 10), ("a14", 4),
        ("a15", 5), ("a16", 5), ("a17", 6), ("a18", 6),
    ] },
    Family { vendor: QUALCOMM, processor: ADRENO, members: &[
        ("640", 6), ("650", 8), ("660", 8), ("730", 8), ("740", 12), ("750", 12), ("830", 12),
        ("x1 45", 6), ("x1 85", 12),
    ] },
];

/// How many processors the adapter has, and what one of them can do.
pub(super) fn processors(info: &wgpu::AdapterInfo) -> (u32, Processor) {
    let name = words(&info.name);
    let vendor = vendor(info.vendor, &name);
    let listed = FAMILIES
        .iter()
        .filter(|family| family.vendor == vendor)
        .flat_map(|family| family.members.iter().map(move |member| (family, *member)))
        .filter(|(_, (member, _))| contains(&name, member))
        .max_by_key(|(_, (member, _))| member.split(' ').count());
    match listed {
        Some((family, (_, processors))) => (processors, family.processor),
        None => unlisted(vendor, info.device_type),
    }
}

/// In small letters, without signs of trade.
fn words(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !["", "r", "tm"].contains(word))
        .map(str::to_owned)
        .collect()
}

fn contains(name: &[String], member: &str) -> bool {
    let member: Vec<_> = member.split(' ').collect();
    name.windows(member.len()).any(|words| words == member)
}

/// The vendor that the adapter tells, if it is one of ours, else that of its name.
fn vendor(told: u32, name: &[String]) -> u32 {
    let is_known = VENDOR_WORDS.iter().any(|(_, vendor)| *vendor == told);
    let named = VENDOR_WORDS
        .iter()
        .find(|(word, _)| name.iter().any(|of_name| of_name == word))
        .map(|(_, vendor)| *vendor);
    named.filter(|_| !is_known).unwrap_or(told)
}

/// A card of the middle class, or the graphics beside a CPU. Where not even the vendor is known,
/// as in a browser, no compiler is trusted with the largest tile but that of a card.
fn unlisted(vendor: u32, device_type: DeviceType) -> (u32, Processor) {
    let is_card = matches!(
        device_type,
        DeviceType::DiscreteGpu | DeviceType::VirtualGpu
    );
    match (vendor, is_card) {
        (NVIDIA, true) => (40, AMPERE),
        (NVIDIA, false) => (8, TEGRA),
        (AMD, true) => (40, RDNA2),
        (AMD, false) => (8, AMD_SHARED),
        (INTEL, true) => (24, XE_HPG),
        (INTEL, false) => (6, XE_SHARED),
        (APPLE, _) => (10, APPLE_CORE),
        (QUALCOMM, _) => (8, ADRENO),
        (ARM, _) => (8, MALI),
        (_, true) => (32, Processor::UNKNOWN),
        (_, false) => (
            16,
            Processor {
                largest_tile: 64,
                ..Processor::UNKNOWN
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vendor: u32, device_type: DeviceType, name: &str) -> (u32, Processor) {
        processors(&wgpu::AdapterInfo {
            name: name.to_owned(),
            vendor,
            ..wgpu::AdapterInfo::new(device_type, wgpu::Backend::Vulkan)
        })
    }

    /// As drivers report them.
    #[test]
    fn adapters_are_known_by_their_names() {
        use DeviceType::{DiscreteGpu, IntegratedGpu, Other};
        for (vendor, kind, name, processors, processor) in [
            // Vulkan and DX12.
            (NVIDIA, DiscreteGpu, "NVIDIA GeForce RTX 4090", 128, ADA),
            (
                NVIDIA,
                DiscreteGpu,
                "NVIDIA GeForce RTX 4090 Laptop GPU",
                76,
                ADA,
            ),
            (
                NVIDIA,
                DiscreteGpu,
                "NVIDIA GeForce RTX 4070 Ti SUPER",
                66,
                ADA,
            ),
            (NVIDIA, DiscreteGpu, "NVIDIA GeForce RTX 3060", 28, AMPERE),
            (
                NVIDIA,
                DiscreteGpu,
                "NVIDIA GeForce RTX 3060 Ti",
                38,
                AMPERE,
            ),
            (NVIDIA, DiscreteGpu, "NVIDIA H100 80GB HBM3", 132, HOPPER),
            (NVIDIA, DiscreteGpu, "NVIDIA H100 PCIe", 114, HOPPER),
            (
                NVIDIA,
                DiscreteGpu,
                "NVIDIA A100-SXM4-40GB",
                108,
                AMPERE_SERVER,
            ),
            (NVIDIA, DiscreteGpu, "Tesla T4", 40, TURING),
            (NVIDIA, DiscreteGpu, "GeForce GTX 1080 Ti", 28, PASCAL),
            // Mesa's NVK, and Mesa's Dozen on Windows.
            (
                NVIDIA,
                DiscreteGpu,
                "NVIDIA GeForce RTX 2060 (NVK TU106)",
                30,
                TURING,
            ),
            (
                NVIDIA,
                DiscreteGpu,
                "Microsoft Direct3D12 (NVIDIA GeForce RTX 3080)",
                68,
                AMPERE,
            ),
            (
                NVIDIA,
                IntegratedGpu,
                "NVIDIA Tegra Orin (nvgpu)",
                16,
                TEGRA,
            ),
            // RADV with and without a name of the product, DX12, Metal.
            (
                AMD,
                DiscreteGpu,
                "AMD Radeon RX 7900 XTX (RADV NAVI31)",
                96,
                RDNA3,
            ),
            (AMD, DiscreteGpu, "AMD Radeon RX 7900 XT", 84, RDNA3),
            (
                AMD,
                DiscreteGpu,
                "AMD Radeon RX 6800 (RADV NAVI21)",
                60,
                RDNA2,
            ),
            (AMD, DiscreteGpu, "AMD RADV NAVI21 (ACO)", 80, RDNA2),
            (
                AMD,
                DiscreteGpu,
                "AMD Radeon RX 9070 XT (RADV GFX1201)",
                64,
                RDNA4,
            ),
            (
                AMD,
                IntegratedGpu,
                "AMD Radeon 780M Graphics",
                12,
                AMD_SHARED,
            ),
            (
                AMD,
                IntegratedGpu,
                "AMD Custom GPU 0405 (RADV VANGOGH)",
                8,
                AMD_SHARED,
            ),
            (0, DiscreteGpu, "AMD Radeon Pro 5500M", 24, RDNA1),
            // ANV, Windows, Metal.
            (
                INTEL,
                DiscreteGpu,
                "Intel(R) Arc(tm) A770 Graphics (DG2)",
                32,
                XE_HPG,
            ),
            (
                INTEL,
                DiscreteGpu,
                "Intel(R) Arc(TM) B580 Graphics",
                20,
                XE2,
            ),
            (
                INTEL,
                IntegratedGpu,
                "Intel(R) Arc(TM) Graphics",
                8,
                XE_SHARED,
            ),
            (
                INTEL,
                IntegratedGpu,
                "Intel(R) Iris(R) Xe Graphics (TGL GT2)",
                6,
                XE_SHARED,
            ),
            (0, IntegratedGpu, "Intel(R) UHD Graphics 630", 2, XE_SHARED),
            // Metal, MoltenVK, Mesa's HoneyKrisp.
            (0, IntegratedGpu, "Apple M2", 10, APPLE_CORE),
            (APPLE, IntegratedGpu, "Apple M2 Pro", 19, APPLE_CORE),
            (
                0x10005,
                IntegratedGpu,
                "Apple M1 Max (G13C C0)",
                32,
                APPLE_CORE,
            ),
            // Android, Mesa's Turnip, Windows.
            (QUALCOMM, IntegratedGpu, "Adreno (TM) 740", 12, ADRENO),
            (QUALCOMM, IntegratedGpu, "Turnip Adreno (TM) 650", 8, ADRENO),
            (
                QUALCOMM,
                IntegratedGpu,
                "Qualcomm(R) Adreno(TM) X1-85 GPU",
                12,
                ADRENO,
            ),
            (0, Other, "adreno-7xx", 8, ADRENO),
            (ARM, IntegratedGpu, "Mali-G78", 8, MALI),
        ] {
            assert_eq!(of(vendor, kind, name), (processors, processor), "{name}");
        }
    }

    #[test]
    fn adapters_unknown_by_name_are_of_the_middle_class_of_their_vendor() {
        use DeviceType::{DiscreteGpu, IntegratedGpu, Other, VirtualGpu};
        for (vendor, kind, name, expected) in [
            (NVIDIA, DiscreteGpu, "NVIDIA GeForce RTX 9999", (40, AMPERE)),
            (NVIDIA, VirtualGpu, "NVIDIA GRID", (40, AMPERE)),
            (NVIDIA, IntegratedGpu, "NVIDIA Thor", (8, TEGRA)),
            (
                AMD,
                DiscreteGpu,
                "AMD Radeon Graphics (RADV UNKNOWN)",
                (40, RDNA2),
            ),
            (
                AMD,
                IntegratedGpu,
                "AMD Radeon Graphics (RADV RENOIR)",
                (8, AMD_SHARED),
            ),
            (
                INTEL,
                DiscreteGpu,
                "Intel(R) Graphics (BMG G99)",
                (24, XE_HPG),
            ),
            (
                INTEL,
                IntegratedGpu,
                "Intel(R) UHD Graphics",
                (6, XE_SHARED),
            ),
            (
                0,
                IntegratedGpu,
                "Apple Paravirtual device",
                (10, APPLE_CORE),
            ),
            (0x1010, DiscreteGpu, "A card", (32, Processor::UNKNOWN)),
        ] {
            assert_eq!(of(vendor, kind, name), expected, "{name}");
        }
        let (processors, processor) = of(0, Other, "");
        assert_eq!((processors, processor.largest_tile), (16, 64));
    }

    /// A word more never leads to another family, and no member is there twice.
    #[test]
    fn every_member_is_found_by_its_own_name() {
        for family in &FAMILIES {
            for (member, processors) in family.members {
                let found = of(family.vendor, DeviceType::Other, member);
                assert_eq!(found, (*processors, family.processor), "{member}");
            }
        }
    }

    #[test]
    fn the_largest_tile_is_for_nvidia_and_amd_alone() {
        for family in &FAMILIES {
            let large = [NVIDIA, AMD].contains(&family.vendor);
            let expected = if large { 128 } else { 64 };
            assert_eq!(family.processor.largest_tile, expected);
        }
        for vendor in [INTEL, APPLE, QUALCOMM, ARM] {
            for kind in [DeviceType::DiscreteGpu, DeviceType::IntegratedGpu] {
                assert_eq!(of(vendor, kind, "").1.largest_tile, 64);
            }
        }
    }
}
