import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { MeanfieldError } from '../base/errors.js';

/** What is signed by a run's key. It is part of what is signed: nothing counts for another purpose than its own. */
export type Purpose =
  /** A message to a worker. */
  | 'down'
  /** An answer to a request to join. */
  | 'join'
  /** The run's state in the message system. */
  | 'state'
  /** Which invitations to the run there are, in the message system. */
  | 'invitations'
  /** What the run's owner orders. */
  | 'order'
  /** An answer to the owner. */
  | 'answer';

/** Of an Ed25519 signature (RFC 8032). */
const SIGNATURE_BYTES = 64;
/** Raised when the same bytes would be signed for another meaning. */
const CONTEXT = 'meanfield signature 1';
const NOTHING = new Uint8Array(0);

/** What came does not bear the signature of the run's coordinator. */
export class UnsignedError extends MeanfieldError {
  override name = 'UnsignedError';
}

/**
 * The key of a run's coordinators, Ed25519. The invitation carries its public half: who has come by it believes nobody
 * else, whoever runs the server or sits on the line.
 */
export class RunKey {
  /** 32 bytes in base64url. */
  readonly public: string;
  readonly #private: KeyObject;

  private constructor(
    key: KeyObject,
    /** Whether it was made just now, so that nothing can have been signed by it. */
    readonly isNew: boolean,
  ) {
    this.#private = key;
    this.public = createPublicKey(key).export({ format: 'jwk' }).x!;
  }

  static make(): RunKey {
    return new RunKey(generateKeyPairSync('ed25519').privateKey, true);
  }

  /** @throws Error when the text is no such key */
  static fromPem(pem: string): RunKey {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(`expected an Ed25519 key, got ${key.asymmetricKeyType}`);
    return new RunKey(key, false);
  }

  /** The secret half, PKCS #8. */
  toPem(): string {
    return this.#private.export({ type: 'pkcs8', format: 'pem' }) as string;
  }

  /**
   * The content with a signature before it.
   *
   * @param about what it answers, where it is an answer: without the same the signature is none
   */
  signed(purpose: Purpose, content: Uint8Array, about: Uint8Array = NOTHING): Uint8Array {
    return Buffer.concat([sign(null, toBeSigned(purpose, content, about), this.#private), content]);
  }
}

/** Reads what a run's coordinator has signed. */
export class RunVerifier {
  readonly #key: KeyObject;

  /**
   * @param publicKey {@link RunKey.public}
   * @throws MeanfieldError when it is none
   */
  constructor(publicKey: string) {
    try {
      this.#key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    } catch (cause) {
      throw new MeanfieldError("The invitation's public key of the coordinator is none. Ask for a new invitation.", {
        cause,
      });
    }
  }

  /**
   * The content without its signature.
   *
   * @throws UnsignedError when the run's coordinator has not signed it, or for another purpose
   */
  opened(purpose: Purpose, bytes: Uint8Array, about: Uint8Array = NOTHING): Uint8Array {
    const content = bytes.subarray(SIGNATURE_BYTES);
    const signature = bytes.subarray(0, SIGNATURE_BYTES);
    if (bytes.length > SIGNATURE_BYTES && verify(null, toBeSigned(purpose, content, about), this.#key, signature))
      return content;
    throw new UnsignedError(
      `A message of ${bytes.length} bytes claims to be the coordinator's (${purpose}), but its signature is not by ` +
        "the key in this run's invitation; it does not count",
    );
  }
}

/** The length of `about` tells where it ends. */
function toBeSigned(purpose: Purpose, content: Uint8Array, about: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${CONTEXT}\n${purpose}\n${about.length}\n`), about, content]);
}
