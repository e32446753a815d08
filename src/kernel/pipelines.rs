//! Compiled pipelines in a file, for drivers that keep none themselves.
//!
//! ```text
//! wgpu-linear pipelines, format 1 ⇥ 0.1.0 ⇥ key ⇥ name ⇥ driver ⇥ driver info
//! crc32c of the rest, 8 digits
//! what wgpu gave
//! ```
//!
//! The first line says for which kernels and whose driver, and is compared as text. A file that is
//! damaged, or somebody else's, is none, and is replaced when there is something to keep.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::file::replace;
use super::guard::guard;

/// The pipelines of a device, compiled now or by an earlier process. Cloning is cheap and refers to
/// the same file.
#[derive(Clone, Debug)]
pub(crate) struct Pipelines(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    cache: wgpu::PipelineCache,
    path: PathBuf,
    heading: String,
    /// Whether something was compiled that the file may not have.
    has_news: AtomicBool,
    /// The checksum of what the file has, as far as we know.
    in_file: AtomicU32,
}

const FORMAT: &str = "wgpu-linear pipelines, format 1";
/// Larger files are not ours: a kernel takes some 5 to 30 KB.
const MOST_BYTES: usize = 64 << 20;

impl Pipelines {
    /// Those of `device` in `folder`; `None` where the device has no such cache.
    pub(crate) fn open(device: &wgpu::Device, folder: &Path) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let info = device.adapter_info();
        let key = wgpu::util::pipeline_cache_key(&info)?;
        let path = folder.join(format!("{key}.pipelines"));
        let heading = heading(&key, &info);
        let data = read(&path, &heading).unwrap_or_else(|reason| {
            log::warn!("{} is not used: {reason}", path.display());
            None
        });
        // What the driver does not take is no cache: kernels are compiled without.
        let cache = guard(device, || pipeline_cache(device, data.as_deref())).ok()?;
        Some(Self(Arc::new(Kept {
            cache,
            path,
            heading,
            has_news: AtomicBool::new(false),
            in_file: AtomicU32::new(data.map_or(0, |data| crc32c::crc32c(&data))),
        })))
    }

    pub(super) fn cache(&self) -> &wgpu::PipelineCache {
        &self.0.cache
    }

    /// Something was compiled that may not be in the file.
    pub(super) fn note_news(&self) {
        self.0.has_news.store(true, Ordering::Relaxed);
    }

    /// Writes the file where something has been compiled since.
    pub(crate) fn keep(&self) {
        self.0.keep();
    }
}

impl Kept {
    fn keep(&self) {
        if !self.has_news.swap(false, Ordering::Relaxed) {
            return;
        }
        let Some(data) = self.cache.get_data() else {
            return;
        };
        let checksum = crc32c::crc32c(&data);
        if self.in_file.swap(checksum, Ordering::Relaxed) == checksum {
            return;
        }
        if let Err(error) = write(&self.path, &self.heading, &data) {
            let path = self.path.display();
            log::warn!("compiled pipelines are not kept in {path}: {error}");
        }
    }
}

/// What was compiled after the last network was prepared.
impl Drop for Kept {
    fn drop(&mut self) {
        self.keep();
    }
}

/// A new version of this crate has new kernels, and begins anew: a cache only ever grows.
fn heading(key: &str, info: &wgpu::AdapterInfo) -> String {
    let fields = [
        FORMAT,
        env!("CARGO_PKG_VERSION"),
        key,
        &info.name,
        &info.driver,
        &info.driver_info,
    ];
    let fields = fields.map(|field| field.replace(char::is_control, " "));
    fields.join("\t") + "\n"
}

/// What [`write`] has written behind this heading, if it is all there; an error says what is wrong.
fn read(path: &Path, heading: &str) -> Result<Option<Vec<u8>>, String> {
    let mut file = match File::open(path) {
        Ok(file) => file.take(MOST_BYTES as u64 + 1),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() > MOST_BYTES {
        return Err("it is too large".into());
    }
    if others_may_write(path) {
        return Err("others may write it".into());
    }
    let rest = bytes.strip_prefix(heading.as_bytes());
    let rest = rest.ok_or("it is of another version or driver")?;
    let (checksum, data) = rest.split_at_checked(9).ok_or("it is cut off")?;
    if checksum != checksum_line(data).as_bytes() {
        return Err("it is damaged".into());
    }
    Ok(Some(data.to_vec()))
}

/// The one way that data get into such a file.
fn write(path: &Path, heading: &str, data: &[u8]) -> io::Result<()> {
    if heading.len() + 9 + data.len() > MOST_BYTES {
        return Err(io::Error::other("they have become too large"));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let checksum = checksum_line(data);
    replace(
        path,
        &[heading.as_bytes(), checksum.as_bytes(), data].concat(),
    )
}

fn checksum_line(data: &[u8]) -> String {
    format!("{:08x}\n", crc32c::crc32c(data))
}

#[cfg(unix)]
fn others_may_write(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode());
    mode.is_ok_and(|mode| mode & 0o022 != 0)
}

/// Elsewhere the folders of a user are the user's alone.
#[cfg(not(unix))]
fn others_may_write(_path: &Path) -> bool {
    false
}

/// The cache of a device, with what an earlier one has held: with `trusted_module` the only
/// `unsafe` of this crate, but for `experiments`.
#[expect(
    unsafe_code,
    reason = "wgpu cannot prove where the data come from, and the proof below can only say what was checked"
)]
fn pipeline_cache(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor {
        label: Some("wgpu_linear::pipelines"),
        data,
        fallback: true,
    };
    // SAFETY: data must have come from `PipelineCache::get_data`. They come from `read` alone:
    // * Only `write` puts data behind our heading, and only `keep` calls it, with what `get_data`
    //   has returned for a device of the same adapter, driver and version, as the heading says.
    // * They are whole and unchanged: a file is written beside and renamed, and a checksum over all
    //   of the data is compared, so what was cut off or damaged is refused.
    // * wgpu compares vendor, device and the driver's own identifier again, and the length; drivers
    //   compare their header once more.
    // What remains is a file that somebody forges. The application names the folder, and files that
    // others may write are refused, so it takes the rights of the user, with which the program
    // itself could be replaced.
    unsafe { device.create_pipeline_cache(&descriptor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "wgpu-linear pipelines, format 1\t0.1.0\tkey\tname\tdriver\t1.2\n";

    #[test]
    fn read_gives_what_was_written_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder/file");
        assert_eq!(read(&path, HEADING), Ok(None));
        let data: Vec<u8> = (0..=255).collect();
        write(&path, HEADING, &data).unwrap();
        assert_eq!(read(&path, HEADING), Ok(Some(data)));
        let good = fs::read(&path).unwrap();
        for len in 0..good.len() {
            fs::write(&path, &good[..len]).unwrap();
            assert!(read(&path, HEADING).is_err(), "{len} bytes");
        }
        for bit in 0..8 * good.len() {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bad).unwrap();
            assert!(read(&path, HEADING).is_err(), "bit {bit}");
        }
        fs::write(&path, [&good[..], b"more"].concat()).unwrap();
        assert!(read(&path, HEADING).is_err());
        let other = HEADING.replace("1.2", "1.3");
        fs::write(&path, &good).unwrap();
        assert!(read(&path, &other).is_err(), "another driver");
        assert!(read(folder.path(), HEADING).is_err(), "a folder");
    }

    #[test]
    fn what_is_too_large_is_neither_written_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let room = MOST_BYTES - HEADING.len() - 9;
        write(&path, HEADING, &vec![7; room]).unwrap();
        assert!(read(&path, HEADING).is_ok_and(|data| data.is_some()));
        let data = vec![7; room + 1];
        assert!(write(&path, HEADING, &data).is_err());
        let whole = [HEADING.as_bytes(), checksum_line(&data).as_bytes(), &data].concat();
        fs::write(&path, whole).unwrap();
        assert!(read(&path, HEADING).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_others_may_write_is_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, HEADING, b"data").unwrap();
        for (mode, is_read) in [(0o644, true), (0o600, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, HEADING).is_ok(), is_read, "{mode:o}");
        }
    }
}
