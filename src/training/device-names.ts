/** Names of devices for the rooms below, without what runs there. */
export { DEVICE_CHOICES, type DeviceChoice, NODE_DEVICES, type NodeDevice } from '../engine/node/device-names.js';
