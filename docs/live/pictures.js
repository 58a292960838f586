// Pictures as a network takes them: from the page, a file, the clipboard, or the camera.
import { fetched } from "./compute/network.js";

// The middle of a picture, as large as the network's images and no larger: {pixels, shown}.
// `shown` is a canvas for the eye.
export function fitted(picture, size, side = 480) {
  const [height, width] = size;
  const image = cropped(picture, height, width).getContext("2d").getImageData(0, 0, width, height);
  const scale = side / Math.max(height, width);
  const shown = cropped(picture, Math.round(height * scale), Math.round(width * scale));
  return { pixels: image.data, shown };
}

function cropped(picture, height, width) {
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  const scale = Math.max(height / picture.height, width / picture.width);
  const [h, w] = [picture.height * scale, picture.width * scale];
  context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
  return canvas;
}

export const shipped = async (address) => createImageBitmap(await (await fetched(address)).blob());

// A file of the reader's; upright as its EXIF says.
export async function opened(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(
      `The browser cannot read ${file.name || "this"} as a picture: choose a JPEG, PNG or WebP.`);
  }
}

// Calls `use(file)` with every picture that is chosen, dropped or pasted.
export function listen(input, use) {
  input.addEventListener("click", () => (input.value = "")); // else the same file is no change
  input.addEventListener("change", () => input.files.length && use(input.files[0]));
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) use(event.clipboardData.files[0]);
  });
  const mark = (on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", () => mark(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    if (event.dataTransfer.files.length) use(event.dataTransfer.files[0]);
  });
}

// Where there is a camera: a button that opens it, one that takes the picture, one that closes it.
export function film({ open, box, shoot, stop }, use, fail) {
  if (!navigator.mediaDevices?.getUserMedia) return;
  open.hidden = false;
  const video = box.querySelector("video");
  const close = () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    box.hidden = true;
    open.focus();
  };
  open.addEventListener("click", async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment" },
      });
      box.hidden = false;
      shoot.focus();
    } catch (error) {
      fail(`The camera could not be opened (${error.message}).`);
    }
  });
  stop.addEventListener("click", close);
  shoot.addEventListener("click", async () => {
    const picture = await createImageBitmap(video);
    close();
    use(picture);
  });
}
