import { Controller, Get } from '@nestjs/common';

/** Health check for a load balancer: tells only that this process answers. */
@Controller('healthz')
export class HealthController {
  @Get()
  health() {
    return { status: 'ok' };
  }
}
