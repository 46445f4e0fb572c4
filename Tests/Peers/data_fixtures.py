"""Writes Tests/SinterTrainingTests/Fixtures/data: files as NumPy and Pillow write them, what they hold, and what torchvision's transforms make of images.

    pip install numpy pillow safetensors torch==2.13.0 torchvision==0.28.0 && python Tests/Peers/data_fixtures.py

The tests compare what Sinter reads and makes with these numbers; the files are made again only where a case is added.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).parent / "models"))
from torchvision_import import torchvision

transforms = torchvision.transforms

folder = Path(__file__).resolve().parents[1] / "SinterTrainingTests" / "Fixtures" / "data"
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(7)
expected = {}

# NumPy's files.
arrays = {
    "a": random.standard_normal((4, 3, 2)).astype(np.float32),
    "b": np.arange(6, dtype=np.int64).reshape(2, 3),
    "empty": np.zeros((0, 3), np.float32),
    "one": np.float64(2.5),
}
np.savez_compressed(folder / "packed.npz", **arrays, zeros=np.zeros(5000, np.float32))
np.savez(folder / "stored.npz", **arrays)
np.save(folder / "fortran.npy", np.asfortranarray(arrays["a"]))
np.save(folder / "fortran_text.npy", np.asfortranarray([["a", "b", "c"], ["d", "e", "f"]]))
np.save(folder / "big.npy", arrays["a"].astype(">f4"))
np.save(folder / "big_complex.npy", np.array([1 + 2j, 3 - 4j], dtype=">c8"))
expected |= {"a": arrays["a"], "b": arrays["b"]}


# Images: soft ones for JPEG, any for PNG.
def channels_first(image):
    array = np.asarray(image)
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))


def keep(name, image, file, **options):
    image.save(folder / file, **options)
    with Image.open(folder / file) as read:
        for mode in ("L", "RGB", "RGBA"):
            expected[f"{name}.{mode}"] = channels_first(read.convert(mode))


y, x = np.mgrid[0:21, 0:30]
soft = np.stack([x * 8, y * 12, 128 + 60 * np.sin(x / 5 + y / 7)], -1).clip(0, 255).astype(np.uint8)
noise = random.integers(0, 256, (9, 7, 4), dtype=np.uint8)
keep("png_rgb", Image.fromarray(noise[..., :3]), "rgb.png")
keep("png_rgba", Image.fromarray(noise), "rgba.png")
keep("png_gray", Image.fromarray(noise[..., 0]), "gray.png")
keep("png_la", Image.fromarray(np.ascontiguousarray(noise[..., :2]), "LA"), "la.png")
keep("png_palette", Image.fromarray(noise[..., :3]).quantize(16), "palette.png")
keep("png_bits", Image.fromarray(noise[..., 0] > 100), "bits.png")
keep("jpeg_rgb", Image.fromarray(soft), "rgb.jpg", quality=90)
keep("jpeg_444", Image.fromarray(soft), "444.jpg", quality=95, subsampling=0)
keep("jpeg_progressive", Image.fromarray(soft), "progressive.jpg", quality=80, progressive=True)
keep("jpeg_gray", Image.fromarray(soft[..., 2]), "gray.jpg")
Image.fromarray(soft).convert("CMYK").save(folder / "cmyk.jpg")
Image.fromarray(random.integers(0, 65536, (5, 4), dtype=np.uint16)).save(folder / "deep.png")

# torchvision's transforms of tensors.
bytes_image = torch.from_numpy(channels_first(soft).copy())
image = torch.from_numpy(random.standard_normal((3, 21, 30)).astype(np.float32))
expected |= {"bytes": bytes_image.numpy(), "floats": image.numpy()}
cases = {
    "totensor": (transforms.ToTensor(), soft),
    "normalize": (transforms.Normalize([0.1, -0.2, 0.3], [0.5, 2.0, 1.5]), image),
    "crop_odd": (transforms.CenterCrop((8, 13)), image),
    "crop_even": (transforms.CenterCrop((10, 10)), image),
    "crop_beyond": (transforms.CenterCrop((24, 11)), image),
    "resize_down": (transforms.Resize((8, 11)), image),
    "resize_up": (transforms.Resize((33, 64)), image),
    "resize_mixed": (transforms.Resize((40, 7)), image),
    "resize_shorter": (transforms.Resize(15), image),
    "resize_bytes": (transforms.Resize((8, 11)), bytes_image),
    "resize_bytes_up": (transforms.Resize(50), bytes_image),
    "flip": (transforms.RandomHorizontalFlip(1.0), image),
}
for name, (transform, source) in cases.items():
    expected[f"transform.{name}"] = np.ascontiguousarray(transform(source).numpy())
save_file(expected, folder / "expected.safetensors")
print(sum(f.stat().st_size for f in folder.iterdir()), "bytes")
