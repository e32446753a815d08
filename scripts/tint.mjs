// Compiles every file of a folder with Tint, Dawn's compiler of WGSL, to the pipelines of a device
// that computes nothing.
//
//     node tint.mjs PACKAGES FOLDER
//
// PACKAGES is where npm has installed `webgpu`. A kernel that names subgroups outside of comments
// gets `enable subgroups;` as its first line, and has to be refused without it. The largest prefetched
// tiles need 32 KiB of workgroup memory, and have to be refused for that alone, since such a device
// has 16. Numbers of 16 bits are a feature as well, which is asked for. One that names words of 64
// bits or matrix units, which no browser has, has to be refused.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [packages, folder] = process.argv.slice(2).map(name => path.resolve(name));
const { create } = await import(pathToFileURL(path.join(packages, "webgpu/index.js")));

// Kept: it ends the program when it is collected.
globalThis.gpu = create(["backend=null"]);
const adapter = await globalThis.gpu.requestAdapter();
const device = await adapter.requestDevice({ requiredFeatures: ["subgroups", "shader-f16"] });

/** What Tint has against a kernel; nothing where it compiles. */
async function objection(name, code) {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: name, code });
  for (const [, entryPoint] of code.matchAll(/@compute[^{]*?\bfn\s+(\w+)/g)) {
    device.createComputePipeline({ label: name, layout: "auto", compute: { module, entryPoint } });
  }
  const error = await device.popErrorScope();
  return error?.message;
}

const failures = [];
const special = {
  subgroups: new Map(), memory: new Map(), u64: new Map(), f16: new Map(), units: new Map(),
};
/** Counts a kernel under its operation and algorithm. */
function note(kind, name) {
  const family = name.split("-").slice(0, 2).join("/");
  kind.set(family, (kind.get(family) ?? 0) + 1);
}

const files = fs.readdirSync(folder).filter(name => name.endsWith(".wgsl")).sort();
for (const file of files) {
  const name = path.basename(file, ".wgsl");
  const code = fs.readFileSync(path.join(folder, file), "utf8");
  const bare = code.replace(/\/\/.*/g, "");
  if (/\benable wgpu_cooperative_matrix;/.test(bare)) {
    note(special.units, name);
    if (!(await objection(name, code))) failures.push(`${name}: browsers know matrix units by now`);
  } else if (/\bu64\b/.test(bare)) {
    note(special.u64, name);
    if (!(await objection(name, code))) failures.push(`${name}: browsers know u64 by now`);
  } else if (/subgroup/.test(bare)) {
    note(special.subgroups, name);
    const refused = await objection(name, `enable subgroups;\n${code}`);
    if (refused) failures.push(`${name}: ${refused}`);
    if (!(await objection(name, code))) failures.push(`${name}: needs no \`enable subgroups;\``);
  } else if (name.includes("tiled_128_prefetch")) {
    note(special.memory, name);
    const refused = await objection(name, code);
    if (!/workgroup storage \(32768 bytes\)/.test(refused)) failures.push(`${name}: ${refused ?? "needs no 32 KiB"}`);
  } else {
    if (/\benable f16;/.test(bare)) note(special.f16, name);
    const refused = await objection(name, code);
    if (refused) failures.push(`${name}: ${refused}`);
  }
}
// A compiler that takes everything has compiled nothing.
const nonsense = "@compute @workgroup_size(1) fn main() { x = 1; }";
if (!(await objection("nonsense", nonsense))) failures.push("nonsense is taken");
if (files.length < 100) failures.push("there should be more kernels");

for (const failure of failures) console.log(`FAILED  ${failure}`);
const count = kind => [...kind.values()].reduce((a, b) => a + b, 0);
const list = kind => [...kind].map(([family, n]) => `${family} (${n})`).join(", ");
const { subgroups, memory, u64, f16, units } = special;
const others = [subgroups, memory, u64, f16, units].map(count).reduce((a, b) => a + b, 0);
const plain = files.length - others;
console.log(`${files.length} kernels: ${plain} are for every browser`);
console.log(`${count(subgroups)} need the feature \`subgroups\`: ${list(subgroups)}`);
console.log(`${count(f16)} need the feature \`shader-f16\`: ${list(f16)}`);
console.log(`${count(memory)} need 32 KiB of workgroup memory: ${list(memory)}`);
console.log(`${count(units)} use matrix units, for native adapters alone: ${list(units)}`);
console.log(`${count(u64)} have words of 64 bits, for native adapters alone: ${list(u64)}`);
console.log(`${failures.length} failures`);
process.exit(failures.length ? 1 : 0);
