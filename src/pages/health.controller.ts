import { Controller, Get } from '@nestjs/common';

/** For a load balancer: this process answers. */
@Controller('healthz')
export class HealthController {
  @Get()
  health() {
    return { status: 'ok' };
  }
}
