import { Controller, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import { type ClientProxy, Ctx, MessagePattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import {
  AllowAnonymous,
  currentSession,
  CurrentSession,
  SessionAliveGuard,
  type SessionFacts,
  type SessionRequest,
} from 'nestjs-oneid-logout';
import { firstValueFrom } from 'rxjs';
import { Host } from './host.js';

export interface Message {
  readonly session?: string;
  readonly text?: string;
}

/** The message contains the session token. */
@Injectable()
export class MessageGuard extends SessionAliveGuard {
  protected override getRequest(context: ExecutionContext): SessionRequest {
    if (context.getType() !== 'rpc') return super.getRequest(context);
    const { session } = context.switchToRpc().getData<Message>();
    return { headers: session === undefined ? {} : { cookie: `session=${session}` } };
  }
}

@Controller()
export class MessageController {
  @MessagePattern('guarded')
  @UseGuards(MessageGuard)
  guarded(@Payload() { text }: Message): string {
    return `guarded: ${text}`;
  }

  @MessagePattern('who')
  @UseGuards(MessageGuard)
  who(@CurrentSession() session: SessionFacts, @Ctx() context: object): unknown[] {
    return [session.sub, currentSession(context)?.sub];
  }

  @MessagePattern('visitor')
  @AllowAnonymous({ deadSession: 'anonymous' })
  @UseGuards(MessageGuard)
  visitor(@CurrentSession() session: SessionFacts | undefined): string {
    return session?.sub ?? 'a visitor';
  }

  @MessagePattern('not guarded')
  notGuarded(@CurrentSession() session: SessionFacts | undefined): string {
    return session?.sub ?? 'a visitor';
  }

  @MessagePattern('not thought of')
  @UseGuards(SessionAliveGuard)
  notThoughtOf(): string {
    return 'reached';
  }
}

/** A hybrid app, which gets messages beside HTTP requests, and a client that sends it messages. */
export class MessageHost {
  private constructor(
    readonly host: Host,
    private readonly client: Pick<ClientProxy, 'send' | 'close'>,
  ) {}

  static async start(
    server: MicroserviceOptions,
    client: Pick<ClientProxy, 'send' | 'close'>,
    { inheritAppConfig = false, ...settings }: Parameters<typeof Host.start>[0] & { inheritAppConfig?: boolean } = {},
  ): Promise<MessageHost> {
    const host = await Host.start({
      controllers: [MessageController],
      providers: [MessageGuard],
      ...settings,
      configure: async (app) => {
        app.connectMicroservice<MicroserviceOptions>(server, { inheritAppConfig });
        await app.startAllMicroservices();
      },
    });
    return new MessageHost(host, client);
  }

  /** @returns the handler's answer; rejects with the handler's error */
  send(pattern: string, data: object): Promise<unknown> {
    return firstValueFrom(this.client.send<unknown>(pattern, data));
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.host.stop();
  }
}
