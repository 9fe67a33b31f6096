/** The devices that ONNX Runtime reaches from Node. */
export const NODE_DEVICES = ['cpu', 'webgpu', 'cuda'] as const;
export type NodeDevice = (typeof NODE_DEVICES)[number];

/** What may be asked for; `auto` takes the best that there is. */
export const DEVICE_CHOICES = [...NODE_DEVICES, 'auto'] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];
