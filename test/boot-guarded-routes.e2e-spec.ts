import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Module,
  type ModuleMetadata,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { MessagePattern } from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { OneIdLogoutModule, SessionAliveGuard, sessionFromCookie, type SessionRequest } from 'nestjs-oneid-logout';
import { Boots, optionsFor } from './support/boot.js';

const boots = new Boots();
afterEach(() => boots.close());

const options = (changes = {}) => optionsFor('https://oneid.example/', { sessionFrom: [], ...changes });

@Controller('me')
class MeController {
  @Get()
  @UseGuards(SessionAliveGuard)
  me(): string {
    return 'me';
  }

  @Get('open')
  open(): string {
    return 'open';
  }

  @Get('orders')
  @UseGuards(SessionAliveGuard)
  orders(): string {
    return 'orders';
  }
}

@Controller('all')
@UseGuards(SessionAliveGuard)
class WholeController {
  @Get()
  all(): string {
    return 'all';
  }
}

@Controller('open')
class OpenController {
  @Get()
  open(): string {
    return 'open';
  }
}

async function warningsOf(metadata: ModuleMetadata, module = OneIdLogoutModule.forRoot(options())) {
  const imports = [module, ...(metadata.imports ?? [])];
  return (await boots.start({ ...metadata, imports }, { listens: false })).warnings;
}

const sentence = (guarded: string) =>
  `The option sessionFrom is missing, and SessionAliveGuard guards ${guarded}. The guard cannot know where a request ` +
  'carries its session, so it answers each request with an error (500). Set the option, for example sessionFrom: ' +
  "sessionFromCookie('session').";

describe('A11: without sessionFrom, the boot', () => {
  it('A11: names a guarded handler, also of a feature module, and the answer is 500', async () => {
    @Module({ controllers: [MeController] })
    class Feature {}
    const imports = [OneIdLogoutModule.forRoot(options()), Feature];
    const { app, warnings } = await boots.start({ imports });
    expect(warnings).toEqual([sentence('MeController.me, MeController.orders')]);
    expect((await fetch(`${await app.getUrl()}/me/orders`)).status).toBe(500);
    expect((await fetch(`${await app.getUrl()}/me/open`)).status).toBe(200);
  });

  it('A11: names a guarded class once', async () => {
    expect(await warningsOf({ controllers: [WholeController, OpenController] })).toEqual([sentence('WholeController')]);
  });

  it.each(['useClass', 'useExisting'])('A11: names a global guard, provided by %s', async (how) => {
    const providers = [{ provide: APP_GUARD, [how]: SessionAliveGuard } as never];
    expect(await warningsOf({ controllers: [OpenController], providers })).toEqual([sentence('the whole app')]);
  });

  it('A11: names gateways and RPC handlers too, since the guard needs the option there as well', async () => {
    @Injectable()
    class RpcGuard extends SessionAliveGuard {
      protected override getRequest(context: ExecutionContext): SessionRequest {
        return context.switchToRpc().getContext<SessionRequest>();
      }
    }
    @Controller()
    class RpcController {
      @MessagePattern('sum')
      @UseGuards(RpcGuard)
      sum(): number {
        return 1;
      }
    }
    @WebSocketGateway()
    class Gateway {
      @SubscribeMessage('hello')
      @UseGuards(SessionAliveGuard)
      hello(): string {
        return 'hello';
      }
    }
    const controllers = [RpcController, WholeController, MeController];
    expect(await warningsOf({ controllers, providers: [Gateway] })).toEqual([
      sentence('RpcController.sum, WholeController, MeController.me and 2 more'),
    ]);
  });

  it('A11: says nothing when nothing is guarded', async () => {
    expect(await warningsOf({ controllers: [OpenController] })).toEqual([]);
  });

  it('A11: says nothing of a guard that decides by itself', async () => {
    @Injectable()
    class OwnGuard extends SessionAliveGuard {
      override canActivate = () => Promise.resolve(true);
    }
    @Controller()
    @UseGuards(OwnGuard)
    class Own {}
    expect(await warningsOf({ controllers: [Own] })).toEqual([]);
  });

  it('A11: survives guards and controllers that Nest makes for each request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends SessionAliveGuard {}
    @Controller({ scope: Scope.REQUEST })
    class Scoped {
      @Get('scoped')
      @UseGuards(PerRequest)
      scoped(): string {
        return 'scoped';
      }
    }
    expect(
      await warningsOf({ controllers: [Scoped], providers: [{ provide: 'made', useFactory: () => () => 1 }] }),
    ).toEqual([]);
  });

  it('A11: says nothing with sessionFrom', async () => {
    const module = OneIdLogoutModule.forRoot(options({ sessionFrom: sessionFromCookie('session') }));
    expect(await warningsOf({ controllers: [MeController, WholeController] }, module)).toEqual([]);
  });

  it('A11: speaks only of the guards that use the registration without it', async () => {
    class Second extends OneIdLogoutModule {}
    const feature = (module: ReturnType<typeof Second.forRoot>, controllers: Type[]) => {
      @Module({ imports: [module], controllers })
      class Feature {}
      return Feature;
    };
    const complete = OneIdLogoutModule.forRoot({
      ...options({ sessionFrom: sessionFromCookie('s') }),
      isGlobal: false,
    });
    const second = Second.forRoot({ ...options(), isGlobal: false });
    const features = [feature(complete, [WholeController]), feature(second, [MeController])];
    // without HTTP, the two need no paths of their own
    const { NestFactory } = await import('@nestjs/core');
    @Module({ imports: features })
    class App {}
    const warnings: string[] = [];
    const warn = (message: unknown) => void warnings.push(String(message));
    const silent = () => undefined;
    const app = await NestFactory.createApplicationContext(App, { logger: { warn, log: silent, error: silent } });
    await app.close();
    expect(warnings.filter((warning) => warning.startsWith('The option'))).toEqual([
      sentence('MeController.me, MeController.orders'),
    ]);
  });
});
